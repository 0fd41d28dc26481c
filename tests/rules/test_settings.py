"""Whatever is set is looked at as it is read: a wrong value is refused in one sentence that names the setting and does not repeat it."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc import config_values as values
from healthsvc.commands.settings import reference_text
from healthsvc.config import Settings, load, sources
from healthsvc.errors import Invalid

REFERENCE = dict(re.findall(r"^\| `(\w+)` \| `HEALTHSVC_\w+` \| ([^|]+) \|", reference_text(), re.MULTILINE))
FREE = {"site_name", "notify_secret", "provider_secret", "mllp_client_names"}
"""What these mean nobody here can know: a name, a secret, names in certificates."""
NONSENSE = "no such , thing/at all"
"""No address, zone, code, level, key, time, number or truth."""
WRONG = {
    "public_url": ["clinic.example", "ftp://clinic.example", "https://", "https://clinic.example/fhir", "https://a:99999", "https://a b", "https://u@a"],
    "otel_endpoint": ["collector:4318", "http://collector:4318/v1/traces", "grpc://collector:4317", "http://collector:port"],
    "notify_webhook": ["gateway.example/x", "mailto:a@b.example", "http:///x", "https://gateway#x"],
    "notify_smtp": ["post.example", "post.example:", ":25", "post.example:0", "post.example:smtp", "a b:25"],
    "notify_sender": ["nobody", "nobody@", "@post.example", "Alarm <alarm@centre.example>", "a@b.example, c@d.example"],
    "notify_mail_gateway": ["@sms.example", "sms.example/x", "sms example"],
    "valhalla": ["127.0.0.1:8002", "https://127.0.0.1:8002", "http://10.1.2.3:8002", "http://roads.example"],
    "backup_recipient": ["age1abc", "AGE-SECRET-KEY-1QQQQ", "ssh-ed25519 AAAA"],
    "jurisdiction": ["China", "cn", "CN-", "CN-3", "CN-99", "CN-333", "CN-3302001", "US"],
    "database": ["db", "mysql://h/n", "postgresql:/h/n"],
    "database_replica": ["mysql://h/n"],
    "mllp_peers": ["10.1.9.0/33", "hospital.example"],
    "backup_at": ["02:30", "61 2 * * *"],
    "database_partition_level": ["", "two words"],
    "database_pool_wait_seconds": ["inf", "nan"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of this machine counts."""
    monkeypatch.delenv("HEALTHSVC_DATABASE", raising=False)
    monkeypatch.setenv("HEALTHSVC_DATA", str(tmp_path))


def refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as set_:
        set_.setenv(f"HEALTHSVC_{name.upper()}", value)
        with pytest.raises(Invalid) as found:
            load()
    assert found.value.text.count("\n") == 0
    assert len(value) < 13 or value not in found.value.text, "it may be a secret"
    return found.value.text


def test_every_setting_of_the_reference_refuses_what_it_cannot_be_or_is_called_free_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert REFERENCE.keys() == Settings.model_fields.keys()
    assert {name for name, kind in REFERENCE.items() if kind.startswith("free")} == FREE
    (tmp_path / "a file").touch()
    for name, kind in REFERENCE.items():
        if kind == "path":  # no folder where a file is asked for, no file where a folder is
            wrong = [str(tmp_path) if name == "audit_witness" or name.endswith(("certificate", "key", "ca")) else str(tmp_path / "a file")]
            wrong += [] if name == "data" else [""]
        else:
            wrong = [] if name in FREE else [NONSENSE]
        for value in wrong + WRONG.get(name, []):
            told = refused(name, value, monkeypatch)
            assert f"{name}: " in told, (name, told)
        if name in FREE:
            monkeypatch.setenv(f"HEALTHSVC_{name.upper()}", NONSENSE)
            if name != "mllp_client_names":  # it wants a CA beside it
                load()
            monkeypatch.delenv(f"HEALTHSVC_{name.upper()}")


def test_certificates_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("https_certificate", "https_key", "https_client_ca", "mllp_certificate", "mllp_key", "mllp_client_ca"):
        assert f"{name}: there is no such file" in refused(name, str(tmp_path / "gone.pem"), monkeypatch)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"page_size_max": 20}, "page_size (50) must not be more than page_size_max (20)"),
        ({"notify_smtp": "mail.example:25"}, "notify_smtp needs notify_sender"),
        ({"notify_sender": "a@b.example"}, "need notify_smtp"),
        ({"notify_mail_gateway": "sms.example"}, "need notify_smtp"),
        ({"mllp_client_ca": "FILE"}, "need mllp_certificate"),
        ({"mllp_key": "FILE"}, "need mllp_certificate"),
        ({"mllp_client_names": "lw.example"}, "needs mllp_client_ca"),
        ({"https_key": "FILE"}, "need https_certificate"),
        ({"database_replica": "postgresql://h/n"}, "needs a PostgreSQL database"),
        ({"backup_to": "FOLDER", "backup_keys_to": "FOLDER/keys"}, "must not be backup_to"),
        ({"drain_seconds": 40}, "less than stop_seconds"),
    ],
)
def test_what_has_no_effect_without_another_is_said(
    told: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "x.pem").touch()
    for name, value in told.items():
        written = str(value).replace("FILE", str(tmp_path / "x.pem")).replace("FOLDER", str(tmp_path))
        monkeypatch.setenv(f"HEALTHSVC_{name.upper()}", written)
    with pytest.raises(Invalid) as found:
        load()
    assert says in found.value.text
    assert ": :" not in found.value.text


def test_what_a_site_may_well_set_is_taken(tmp_path: Path) -> None:
    (tmp_path / "x.pem").touch()
    pair = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"  # the example of age's own manual page
    file = tmp_path / "x.pem"
    held = Settings(
        data=tmp_path, public_url="https://clinic.example/care/", otel_endpoint="http://[::1]:4318/", notify_webhook="https://g.example/x?token=1",
        notify_smtp="mail:25", notify_sender="alarm@centre.example", notify_mail_gateway="sms.example", valhalla="http://127.0.0.1:8002",
        backup_recipient=pair, jurisdiction="CN-330200", page_size=1000, mllp_peers="10.1.9.0/24, ::1,", mllp_certificate=file, 
        mllp_key=file, mllp_client_ca=file, mllp_client_names="a, b", database="postgresql://u:p@h/n", database_replica="postgres://u:p@h/n",
        backup_to=tmp_path / "b", backup_keys_to=tmp_path / "k",
    )  # fmt: skip
    assert held.jurisdiction == "CN-330200"
    for code in ("CN", "CN-33", "CN-3302"):
        assert values.jurisdiction(code) == code


@given(st.text() | st.from_regex(r"https?://[^/]*(/.*)?", fullmatch=True))
def test_an_address_that_is_taken_has_a_host_and_any_other_gets_a_sentence(text: str) -> None:
    import httpx

    try:
        taken = values.web_address(text)
    except ValueError as error:
        assert "web address" in str(error)  # noqa: PT017
        return
    assert taken == "" or httpx.URL(taken).host


@pytest.mark.parametrize("told", ["\ufeff", "\r\n\r\n", "\ufeff# 设置\r\n"])
def test_a_file_saved_on_windows_says_the_same(told: str, tmp_path: Path) -> None:
    (tmp_path / "healthsvc.toml").write_bytes((told + 'site_name = "示范中心"\r\nzone = " Asia/Shanghai "\r\npage_size = 20\r\n').encode())
    held = load()
    assert (held.site_name, held.zone, held.page_size) == ("示范中心", "Asia/Shanghai", 20)
    assert sources()["site_name"] == "DATA/healthsvc.toml"


def test_a_file_in_no_utf_8_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for codec in ("utf-16", "gb18030"):
        (tmp_path / "healthsvc.toml").write_bytes('site_name = "示范中心"\n'.encode(codec))
        with pytest.raises(Invalid, match=r"healthsvc\.toml is not TOML.*save it as UTF-8"):
            load()


def test_blanks_and_line_ends_around_a_variable_are_no_part_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file of variables with line ends of Windows gives each value a carriage return, and a data directory of that name would be new."""
    (tmp_path / "healthsvc.toml").write_text("page_size = 20\n")
    around = {"DATA": str(tmp_path), "LOG_JSON": "true", "PAGE_SIZE_MAX": "30", "OTEL_SHARE": "0.5", "BACKUP_TO": str(tmp_path / "to")}
    around |= {"PUBLIC_URL": "https://care.example", "PROVIDER_SECRET": "s3cret", "SITE_NAME": "示范 中心"}
    for name, value in around.items():
        monkeypatch.setenv(f"HEALTHSVC_{name}", f" {value}\t\r")
    held = load()
    assert (held.data, held.backup_to, held.page_size, held.page_size_max) == (tmp_path, tmp_path / "to", 20, 30)
    assert (held.log_json, held.otel_share, held.public_url, held.site_name) == (True, 0.5, "https://care.example", "示范 中心")
    assert held.provider_secret.get_secret_value() == "s3cret"
    monkeypatch.setenv("HEALTHSVC_BACKUP_TO", " \r")
    with pytest.raises(Invalid, match="backup_to: write a path"):
        load()
    monkeypatch.setenv("HEALTHSVC_BACKUP_TO", str(tmp_path / "other"))
    (tmp_path / "healthsvc.toml").write_text(f'page_size = 20\nbackup_to = "{tmp_path / "to"}"\n')
    assert load().backup_to == tmp_path / "other", "the environment goes before the file"
    assert sources()["backup_to"] == "HEALTHSVC_BACKUP_TO"
