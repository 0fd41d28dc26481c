"""A process ends in time whatever hangs, and says where; each in a process of its own, since it is to die."""

import signal
import subprocess
import sys
import time

import pytest

LOCK = (
    "import ctypes; lock = ctypes.create_string_buffer(64); libc = {}(None); libc.pthread_mutex_lock(lock); libc.pthread_mutex_lock(lock)"
)
"""The second call never returns, and no signal interrupts it."""


def ended(script: str, *, signals: int = 0) -> tuple[int, str, float]:
    """Exit code, what it said on standard error, and the seconds from its word "ready" to its end."""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    begun = time.monotonic()
    for _ in range(signals):
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    return process.returncode, said, time.monotonic() - begun


@pytest.mark.parametrize("holds", ["time.sleep(60)", LOCK.format("ctypes.CDLL"), LOCK.format("ctypes.PyDLL")])
def test_it_ends_also_where_a_library_keeps_the_interpreter_s_lock(holds: str) -> None:
    script = f"import time; from integrations.ending import bounded; bounded(0.3); print('ready', flush=True); {holds}"
    code, said, took = ended(script)
    assert code == 1
    assert 'File "<string>", line 1' in said
    assert took < 20


def test_a_signal_is_heard_while_the_main_thread_is_not_in_python() -> None:
    script = f"from integrations.ending import Ending; Ending(0.3); print('ready', flush=True); {LOCK.format('ctypes.CDLL')}"
    code, said, _ = ended(script, signals=2)
    assert (code, 'File "<string>", line 1' in said) == (1, True)


def test_what_ends_in_time_ends_well_and_does_not_wait_for_threads_of_libraries() -> None:
    script = """
import threading, time
from integrations.ending import Ending
ending = Ending(30)
threading.Thread(target=time.sleep, args=[60]).start()
print("ready", flush=True)
ending.wait()
ending.over()
print("written", flush=False)
ending.leave()
"""
    code, said, took = ended(script, signals=1)
    assert (code, said) == (0, "")
    assert took < 20


def test_a_start_that_was_refused_leaves_no_watchdog_behind() -> None:
    script = """
import time
from integrations.ending import Ending
ending = Ending(0.3)
print("ready", flush=True)
ending.begin()
ending.over()
time.sleep(3)
"""
    assert ended(script)[:2] == (0, "")
