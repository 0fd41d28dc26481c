"""Whoever waits for the first plan of a machine hears that it is compiled, and why; nobody hears it where it is taken from the disk."""

from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from healthsvc.dayplan import compiled, later, shelf
from healthsvc.dayplan.watching import compiling, made
from healthsvc.policy import load
from healthsvc.store.work import TakenAway
from integrations.demo.run import _once


@compiled.compiled
def halved(number: float) -> float:
    return number / 2.0


def summed(number: float) -> float:
    return number + halved(number)


def summed_anew(number: float) -> float:
    """As a new process finds it: nothing compiled in memory."""
    fresh = compiled.entry(summed)
    return fresh(number)


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "SHELF", tmp_path)


def test_it_is_told_where_nothing_is_kept_and_not_where_it_is() -> None:
    heard: list[bool] = []
    with compiling(heard.append):
        assert summed_anew(2.0) == 3.0
    assert heard == [True, False], "the function below it counts with it"
    with compiling(heard.append):
        assert summed_anew(4.0) == 6.0
    assert heard == [True, False]
    assert summed_anew(4.0) == 6.0


def test_nobody_hears_of_what_is_compiled_later() -> None:
    heard: list[bool] = []
    with compiling(heard.append):
        pass
    assert summed_anew(2.0) == 3.0
    assert heard == []


class Told:
    """Who waits for a plan; calls it off after ``patience`` words."""

    def __init__(self, patience: int = 99) -> None:
        self.words: list[tuple[int, int, str]] = []
        self.patience = patience

    def __call__(self, done: int, total: int, step: str = "") -> None:
        self.words.append((done, total, step))
        if len(self.words) > self.patience:
            raise TakenAway("called off")


def test_a_plan_says_so_and_then_how_far_it_has_come() -> None:
    told = Told()
    with later._watching(load(), date(2026, 3, 2), 1.0, told):
        assert summed_anew(2.0) == 3.0
        made(1)
        made(10**9)
    assert told.words == [(0, 100, "compiling"), (0, 100, ""), (0, 100, ""), (99, 100, "")]


def test_who_calls_off_meanwhile_is_heard_once_it_is_compiled() -> None:
    told = Told(patience=0)
    with later._watching(load(), date(2026, 3, 2), 1.0, told):
        assert summed_anew(2.0) == 3.0
        with pytest.raises(TakenAway):
            made(1)
    assert [step for _, _, step in told.words] == ["compiling", "", ""]


def test_a_command_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    from healthsvc.commands.plan import _busy

    with _busy("planning"):
        assert summed_anew(2.0) == 3.0
        compiled.entry(halved_twice)(2.0)
    assert capsys.readouterr().err.count("首次运行，正在编译 · compiling once on this machine") == 1
    with _busy("planning"):
        assert summed_anew(2.0) == 3.0
    assert "compiling" not in capsys.readouterr().err


def halved_twice(number: float) -> float:
    return halved(halved(number))


def test_a_page_knows_beforehand_whether_whoever_asks_will_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(shelf, "_stock", lambda folder, installed: None)
    assert shelf.cold()
    (tmp_path / f"healthsvc-dayplan-{shelf.fingerprint()}" / "one.nbi").write_bytes(b"")
    assert not shelf.cold()


def test_the_demonstration_says_so_once() -> None:
    written = StringIO()
    tell = _once(Progress(console=Console(file=written, width=200)))
    for at_it in (False, True, False, True):
        tell(at_it)
    assert written.getvalue().count("compiling the planner once") == 1
