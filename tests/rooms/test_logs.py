"""What stands in the log: our own lines and those of libraries in one form, each with its priority where the journal reads them."""

import json
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from healthsvc import logs
from healthsvc.config import Settings

CITIZEN = "990101193001019006"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    logs.configure(Settings())


def said(path: Path, journal: str = "", *, as_json: bool) -> list[str]:
    """The lines that came of a few events, with standard error in a file, which is what the environment calls the journal."""
    with path.open("w") as file, pytest.MonkeyPatch.context() as patch:
        stat = os.fstat(file.fileno())
        patch.setenv("JOURNAL_STREAM", journal or f"{stat.st_dev}:{stat.st_ino}")
        patch.setattr("sys.stderr", file)
        logs.configure(Settings(log_json=as_json))
        structlog.get_logger().info("job done", job="x")
        structlog.get_logger().error("stumbled")
        logging.getLogger("psycopg.pool").warning("error connecting in %r", "pool-1")
        logging.getLogger("psycopg.pool").info("nobody needs this")
        try:
            raise RuntimeError("two\nlines")
        except RuntimeError:
            logging.getLogger("asyncio").exception("it broke")
        logging.getLogger("x").warning("for %s", CITIZEN)
    return path.read_text().splitlines()


def test_libraries_speak_json_too_and_no_number_of_a_person(tmp_path: Path) -> None:
    found = [json.loads(line) for line in said(tmp_path / "log", "1:1", as_json=True)]
    assert [(one["level"], one["event"]) for one in found[:3]] == [
        ("info", "job done"),
        ("error", "stumbled"),
        ("warning", "error connecting in 'pool-1'"),
    ]
    assert found[2]["logger"] == "psycopg.pool"
    assert "RuntimeError: two\nlines" in found[3]["exception"]
    assert CITIZEN not in found[4]["event"]
    assert all(one["timestamp"] for one in found)


@pytest.mark.parametrize("as_json", [True, False])
def test_the_journal_hears_priorities_and_nobody_else_does(tmp_path: Path, as_json: bool) -> None:
    lines = said(tmp_path / "log", as_json=as_json)
    assert [line[:3] for line in lines[:3]] == ["<6>", "<3>", "<4>"]
    assert all(re.match(r"<[346]>", line) for line in lines), "a traceback has several lines, each of which the journal reads by itself"
    assert not any(line.startswith("<") for line in said(tmp_path / "log", "1:1", as_json=as_json))


def test_a_thread_that_ends_by_a_surprise_is_an_event_without_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumbles() -> None:
        raise RuntimeError(f"{CITIZEN} 测试某")

    class Left:
        def __del__(self) -> None:
            stumbles()

    for owner, name in ((threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # both are put back afterwards
    with (tmp_path / "log").open("w") as file:
        monkeypatch.setattr("sys.stderr", file)
        logs.configure(Settings(log_json=True))
        logs.tell_of_ends()
        thread = threading.Thread(target=stumbles, name="bell-listens")
        thread.start()
        thread.join()
        Left()
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(True)
            warnings.warn("this will go", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    text = (tmp_path / "log").read_text()
    ended, left, warned = map(json.loads, text.splitlines())
    assert (ended["event"], ended["thread"], ended["error"]) == ("a thread has ended", "bell-listens", "RuntimeError")
    assert ended["at"].startswith("test_logs.py:")
    assert " stumbles < threading.py:" in ended["at"]
    assert (left["error"], left["at"].count("<")) == ("RuntimeError", 1)
    assert "this will go" in warned["event"]
    assert "测试某" not in text
    assert CITIZEN not in text
