"""An installation with a wrong setting is refused in one sentence that names the setting and never repeats its value."""

import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from healthsvc import config
from healthsvc.commands.settings import HIDDEN, effective
from healthsvc.errors import Invalid, Refusal, Unavailable
from healthsvc.installation import open_installation
from healthsvc.main import cli


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("HEALTHSVC_ZONE", "Mars/Phobos", "zone"),
        ("HEALTHSVC_PAGE_SIZE", "many", "page_size"),
        ("HEALTHSVC_LOG_LEVEL", "loud", "log_level"),
        ("HEALTHSVC_BACKUP_AT", "30 25 * * *", "backup_at"),
        ("HEALTHSVC_DATABASE_REPLICA", "standby", "database_replica"),
        ("HEALTHSVC_DATABASE", "oracle9://user:secret@there", "database"),
        ("HEALTHSVC_DATABASE", "not a url", "database"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Invalid) as refused:
        open_installation(tmp_path / "data")
    assert told in refused.value.text
    assert value not in refused.value.text


@pytest.mark.parametrize("content", ["page_size = [", "no_such_setting = 1", "page_size = 0"])
def test_a_wrong_settings_file_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "healthsvc.toml").write_text(content)
    with pytest.raises(Invalid):
        config.load(tmp_path)


def test_a_directory_or_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable, match="data directory"):
        open_installation(tmp_path / "file" / "data")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "healthsvc.sqlite").write_bytes(b"this is no database, only words" * 64)
    with pytest.raises(Refusal, match="database"):
        open_installation(tmp_path / "data")


def test_the_file_is_read_and_the_environment_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "healthsvc.toml").write_text('zone = "Asia/Urumqi"\nlog_level = "warning"\n')
    assert (config.load(tmp_path).zone, config.load(tmp_path).log_level) == ("Asia/Urumqi", "WARNING")
    monkeypatch.setenv("HEALTHSVC_ZONE", "Asia/Shanghai")
    assert config.load(tmp_path).zone == "Asia/Shanghai"
    opened = open_installation(tmp_path)
    opened.close()
    assert sqlite3.connect(tmp_path / "healthsvc.sqlite").execute("SELECT count(*) FROM resource").fetchone() is not None


def test_what_is_in_force_and_where_it_comes_from_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "healthsvc.toml").write_text('notify_secret = "tell nobody"\nlog_level = "error"\nzone = "Asia/Urumqi"\n')
    monkeypatch.setenv("HEALTHSVC_ZONE", "Asia/Shanghai")
    monkeypatch.setenv("HEALTHSVC_DATABASE", "postgresql://somebody:hidden@there/base?sslmode=verify-full&password=hidden")
    shown = {name: (value, source) for name, value, source in effective(tmp_path)}
    assert shown["zone"] == ("Asia/Shanghai", "HEALTHSVC_ZONE")
    assert shown["log_level"] == ("ERROR", "DATA/healthsvc.toml")
    assert shown["page_size"] == ("50", "default")
    assert shown["data"] == (str(tmp_path), "command line")
    assert shown["notify_secret"] == (HIDDEN, "DATA/healthsvc.toml")
    printed = CliRunner().invoke(cli, ["settings", "--data", str(tmp_path)]).output
    assert "tell nobody" not in printed
    assert "hidden" not in printed
    assert "verify-full" in printed
