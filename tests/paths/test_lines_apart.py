"""The hospital lines in processes of their own: one that dies comes again, none outlives the one that started it, and nothing is lost."""

import os
import re
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest
from served import COMMAND, READY_SECONDS

from healthsvc.errors import Refusal
from integrations.hl7v2.replies import belongs, read_reply
from integrations.mllp.client import Client


def message(control_id: str) -> bytes:
    return (
        f"MSH|^~\\&|HIS|LWYY|HEALTHSVC|LW|20261120080000||ADT^A04|{control_id}|P|2.4\rEVN|A04|20261120080000\r"
        "PID|1||MR1^^^LWYY^PI||测试某\rPV1|1|O|||||||||||||||||V1\r"
    ).encode()


def says(port: int, control_id: str) -> str:
    with Client("127.0.0.1", port, belongs, seconds=5) as line:
        return read_reply(line.send(message(control_id))).code


def soon(what: Callable[[], bool], seconds: float = READY_SECONDS) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            if what():
                return True
        except (OSError, Refusal):  # not yet
            pass
        time.sleep(0.1)
    return False


def children_of(pid: int) -> set[int]:
    """The processes of the lines (a line of ``/proc/PID/task/TID/children`` names the children of each thread)."""
    found = [word for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()]
    return {int(one) for one in found if b"feeds" in Path(f"/proc/{one}/cmdline").read_bytes() and not is_over(int(one))}


def is_over(pid: int) -> bool:
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except FileNotFoundError:
        return True


def started(data: Path, lines_apart: int) -> "tuple[subprocess.Popen[str], str, int]":
    words = ["serve", "--data", str(data), "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0"]
    own = os.environ | {"HEALTHSVC_LINES_APART": str(lines_apart)}
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=own)
    assert process.stdout is not None
    found = re.search(r"ready (http://\S+) mllp://127\.0\.0\.1:(\d+)$", process.stdout.readline().strip())
    assert found
    return process, found[1], int(found[2])


def ended(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


@pytest.mark.long
def test_each_process_of_lines_comes_again_and_none_stays_behind(tmp_path: Path) -> None:
    process, http, port = started(tmp_path / "data", 2)
    try:
        first = children_of(process.pid)
        assert len(first) == 2
        assert [says(port, f"AP{number}") for number in range(8)] == ["AA"] * 8
        gone = min(first)
        os.kill(gone, signal.SIGKILL)
        assert says(port, "AP8") == "AA", "the other takes what comes meanwhile"
        assert soon(lambda: len(children_of(process.pid)) == 2)
        assert gone not in children_of(process.pid)
        assert says(port, "AP3") == "AA"

        def counted() -> bool:
            said = httpx.get(f"{http}/metrics").text
            return sum(float(line.split()[-1]) for line in said.splitlines() if line.startswith("healthsvc_hl7_received_total{")) >= 2

        assert soon(counted), "the figures of all of them stand at one address"
        second = children_of(process.pid)
        process.kill()
        process.wait()
        assert soon(lambda: all(map(is_over, second)))
    finally:
        ended(process)


@pytest.mark.long
@pytest.mark.parametrize("round", range(6))
def test_killed_all_at_once_the_next_start_has_every_answered_message_once_whatever_the_setting(tmp_path: Path, round: int) -> None:
    process, _, port = started(tmp_path / "data", 2)
    told: list[str] = []

    def talk(line: int) -> None:
        with suppress(OSError, Refusal), Client("127.0.0.1", port, belongs, seconds=5) as client:
            for number in range(100_000):
                name = f"R{line}-{number}"
                if read_reply(client.send(message(name))).code == "AA":
                    told.append(name)

    talking = [threading.Thread(target=talk, args=[line]) for line in range(6)]
    try:
        for one in talking:
            one.start()
        time.sleep(0.5 + round / 4)
        for pid in (*children_of(process.pid), process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()
    finally:
        ended(process)
        for one in talking:
            one.join()
    process, _, port = started(tmp_path / "data", round % 3)
    try:
        assert says(port, told[-1]) == "AA"
        with closing(sqlite3.connect(tmp_path / "data" / "healthsvc.sqlite")) as database:
            sql = "SELECT control_id FROM inbox UNION ALL SELECT control_id FROM arrived"
            kept = [row[0] for row in database.execute(sql)]
    finally:
        ended(process)
    assert set(told) <= set(kept)
    assert len(kept) == len(set(kept))
