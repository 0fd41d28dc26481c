"""What held from when until when, here and elsewhere; what changed between two days."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from healthsvc.main import cli
from healthsvc.policy import Parameter, Policy


def value(name: str, value: int, start: date, where: str = "CN", trust: str = "V") -> Parameter:
    return Parameter(name, value, "1", "题", "title", "source", trust, start, where, "x.toml")


PLACES = ["CN", "CN-33", "CN-3302", "CN-31"]
parameters = st.lists(
    st.builds(value, st.just("a.b"), st.integers(0, 9), st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.sampled_from(PLACES))
)


@given(parameters, st.sampled_from(PLACES), st.dates(date(2019, 1, 1), date(2031, 1, 1)))
def test_the_history_says_what_is_in_force_on_every_day(known: list[Parameter], here: str, on: date) -> None:
    policy = Policy(known, here)
    spells = policy.history("a.b")
    holding = [one for one in spells if one.start <= on and (one.until is None or on < one.until)]
    assert len(holding) <= 1
    assert policy.in_force("a.b", on) == bool(holding)
    if holding:
        assert holding[0].parameter is policy.parameter("a.b", on)
    assert {one.parameter.jurisdiction for one in spells}.isdisjoint({one.jurisdiction for one in policy.elsewhere("a.b")})


@given(parameters, st.dates(date(2019, 1, 1), date(2031, 1, 1)), st.integers(0, 4000))
def test_a_change_is_there_exactly_when_the_values_differ(known: list[Parameter], before: date, days: int) -> None:
    policy = Policy(known, "CN-3302")
    after = before + timedelta(days=days)
    old, new = (policy.value("a.b", on) if known and policy.in_force("a.b", on) else None for on in (before, after))
    assert [one.name for one in policy.changes(before, after)] == (["a.b"] if old != new else [])


def test_the_commands_tell_history_and_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "checkup.toml").write_text(
        """
[[parameter]]
name = "checkup.old_age"
value = 80
unit = "a"
title = "适用老年人目标的年龄"
title_en = "Age of the target of older people"
source = "本中心 2026 年通知"
trust = "site"
effective_from = 2026-04-01
jurisdiction = "CN"
""",
        encoding="utf-8",
    )
    run = CliRunner()
    told = run.invoke(cli, ["policy", "history", "checkup.old_age", "--data", str(tmp_path), "--json"])
    spells = json.loads(told.output)["history"]
    assert [(one["value"], one["from"], one["until"]) for one in spells] == [(65, "2000-01-01", "2026-04-01"), (80, "2026-04-01", None)]
    changed = json.loads(run.invoke(cli, ["policy", "diff", "2026-03-31", "2026-04-01", "--data", str(tmp_path), "--json"]).output)
    assert [(one["name"], one["before"]["value"], one["after"]["value"]) for one in changed] == [("checkup.old_age", 65, 80)]
    assert "80" in run.invoke(cli, ["policy", "diff", "2026-03-31", "2026-04-01", "--data", str(tmp_path)]).output
    assert run.invoke(cli, ["policy", "history", "no.such", "--data", str(tmp_path)]).exit_code != 0
    replayed = run.invoke(cli, ["policy", "replay", "--data", str(tmp_path)])
    assert replayed.exit_code == 0, replayed.output
    assert "decisions 0" in replayed.output
