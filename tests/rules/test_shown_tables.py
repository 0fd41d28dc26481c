"""What commands print is what was said: no word is taken for markup, no number is cut short."""

import pytest

from healthsvc.commands.shape import explain, table
from healthsvc.errors import Invalid


def test_a_row_in_a_pipe_is_one_whole_line(capsys: pytest.CaptureFixture[str]) -> None:
    words = "lay it out under [master.staff] or [/b] " + "很长的原因" * 40
    table(("id", "control id", "remark"), [(62, "A" * 60, words), (63, None, "")])
    _, row, last = capsys.readouterr().out.splitlines()
    assert row.split(maxsplit=2) == ["62", "A" * 60, words]
    assert last.strip() == "63"


def test_a_refusal_says_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    explain(Invalid("set [send] and [send.green_channel] of the profile", path="send"))
    assert "healthsvc: set [send] and [send.green_channel] of the profile" in capsys.readouterr().err
