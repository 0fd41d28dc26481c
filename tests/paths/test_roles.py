"""Four processes, one role each, on one data directory: a message taken in by one has its effect through the others."""

import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
from served import COMMAND, READY_SECONDS, run

from healthsvc.fhir.systems import hospital_number
from integrations.hl7v2.replies import belongs, read_reply
from integrations.mllp.client import Client

ROLES = ("api", "feeds", "worker", "timers")
MESSAGE = (
    "MSH|^~\\&|HIS|LWYY|HEALTHSVC|LW|20261120080000||ADT^A04|ROLE1|P|2.4|||AL|AL|CHN\r"
    "EVN|A04|20261120080000\rPID|1||MR1^^^LWYY^PI||测试某\rPV1|1|O|||||||||||||||||V1\r"
)


PROFILE = """
extends = "default"
profile = "lw"
version = 1
title = "测试医院"
hospital = "lw9"
unknown_person = "register"
[match]
sending_facility = "LWYY"
"""


def follows_a_profile_that_is_added(folder: Path, port: int, client: httpx.Client) -> None:
    """Who listens, who works and who shows the figures each read it while they run."""
    folder.mkdir(exist_ok=True)
    (folder / "lw.toml").write_text(PROFILE)
    ends, number = time.monotonic() + 60, 1
    found: dict[str, Any] = {}
    with Client("127.0.0.1", port, belongs, seconds=10) as line:
        while not found.get("entry") and time.monotonic() < ends:
            number += 1
            message = MESSAGE.replace("ROLE1", f"ROLE{number}").replace("MR1", f"MR{number}")
            assert read_reply(line.send(message.encode("gb18030"))).code == "AA"
            time.sleep(0.5)
            found = client.get("/fhir/Patient", params={"identifier": f"{hospital_number('lw9')}|"}).json()
    assert found.get("entry"), "a message came in by the new profile and was processed by it"
    ends = time.monotonic() + 60
    while 'profile_version{link="lw"} 1.0' not in client.get("/metrics").text and time.monotonic() < ends:
        time.sleep(0.2)
    assert 'profile_version{link="lw"} 1.0' in client.get("/metrics").text


def test_each_role_alone_and_together_they_serve(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    (tmp_path / "a04.hl7").write_bytes(MESSAGE.encode("gb18030"))
    words = ["serve", "--data", data, "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0", "--only"]
    running = {
        role: subprocess.Popen([*COMMAND, *words, role], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for role in ROLES
    }
    try:
        ready = {role: process.stdout.readline() if process.stdout else "" for role, process in running.items()}
        http, line = re.search(r"http://\S+", ready["api"]), re.search(r"mllp://(\S+)", ready["feeds"])
        assert http, ready
        assert line, ready
        assert "AA" in run("hl7", "send", str(tmp_path / "a04.hl7"), "--to", line[1])
        token = run("token", "--data", data, "--role", "doctor").strip()
        with httpx.Client(base_url=http[0], headers={"authorization": f"Bearer {token}"}, timeout=30) as client:
            ends = time.monotonic() + 60
            while not client.get("/fhir/Patient?identifier=MR1").json().get("entry") and time.monotonic() < ends:
                time.sleep(0.1)
            assert client.get("/fhir/Patient?identifier=MR1").json()["entry"]
            follows_a_profile_that_is_added(tmp_path / "data" / "hospitals", int(line[1].rpartition(":")[2]), client)
    finally:
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        codes = {role: process.wait(timeout=READY_SECONDS) for role, process in running.items()}
        for process in running.values():
            if process.stdout:
                process.stdout.close()
    assert set(codes.values()) == {0}, codes
