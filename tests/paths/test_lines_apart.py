"""The hospital lines in a process of their own: it is started again when it dies, and does not outlive the one that started it."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

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


def child_of(pid: int) -> int:
    """The process of the lines (a line of ``/proc/PID/task/TID/children`` names the children of each thread)."""
    found = [word for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()]
    return next(int(one) for one in found if b"feeds" in Path(f"/proc/{one}/cmdline").read_bytes())


@pytest.mark.long
def test_the_lines_have_a_process_that_comes_again_and_does_not_stay_behind(tmp_path: Path) -> None:
    words = ["serve", "--data", str(tmp_path / "data"), "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"HEALTHSVC_LINES_APART": "1"},
    )
    try:
        assert process.stdout is not None
        found = re.search(r"mllp://127\.0\.0\.1:(\d+)$", process.stdout.readline().strip())
        assert found
        port, first = int(found[1]), child_of(process.pid)
        assert says(port, "AP1") == "AA"
        os.kill(first, signal.SIGKILL)
        assert soon(lambda: says(port, "AP2") == "AA"), "at the same address"
        second = child_of(process.pid)
        assert second != first
        process.kill()
        process.wait()
        assert soon(lambda: not Path(f"/proc/{second}").exists() or "Z" in Path(f"/proc/{second}/stat").read_text().rpartition(")")[2][:3])
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
