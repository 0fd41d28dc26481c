"""The demonstration as scripts run it: it ends by itself with exit code 0, and never mixes with a site's own people."""

from pathlib import Path

from served import run


def test_the_whole_story_runs_once_and_ends(tmp_path: Path) -> None:
    told = run("demo", "--once", "--data", str(tmp_path / "data"), "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0")
    for line in ("600 people created", "564 signed, 2256 quarterly checkups", "14 established", "infusion-drug-forbidden", "75 AA"):
        assert line in told, told
    assert "intact" in run("audit", "verify", "--data", str(tmp_path / "data"))
    again = run("demo", "--once", "--data", str(tmp_path / "data"), "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0", expect=2)
    assert again == ""
