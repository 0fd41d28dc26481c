"""Settings: environment variables ``HEALTHSVC_*`` and ``DATA/healthsvc.toml``. The only reader of the environment."""

import os
import pwd
import tomllib
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from healthsvc import clock, sitefile
from healthsvc import config_values as values
from healthsvc.errors import Invalid, Unavailable
from healthsvc.sitefile import SiteFile

PREFIX = "HEALTHSVC_"
_FILE = "healthsvc.toml"
DATABASE = "healthsvc.sqlite"
"""The embedded database's file in the data directory."""
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_FOLDERS = ("data", "sealing_keys", "signing_keys", "backup_to", "backup_keys_to")
_FILES = ("https_certificate", "https_key", "https_client_ca", "mllp_certificate", "mllp_key", "mllp_client_ca")


class Settings(BaseSettings):
    """What a site may set. Order of force: the command line, the environment, DATA/healthsvc.toml, the defaults here."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", allow_inf_nan=False)

    data: Path = Field(Path("healthsvc-data"), description="Directory of the embedded database, keys and site files")
    database: str | None = Field(None, repr=False, description="SQLAlchemy URL; unset: SQLite in the data directory")
    database_replica: str | None = Field(
        None, repr=False, description="PostgreSQL: URL of a standby that answers figures, exports, searches"
    )
    database_replica_seconds: float = Field(0.2, ge=0, description="PostgreSQL: how long a standby that lags is waited for")
    database_replica_behind_seconds: float = Field(0, ge=0, description="PostgreSQL: how far searches of a standby may lag; 0: none are")
    database_partition_level: str = Field(
        "county", description="PostgreSQL: Organization.type of those that `healthsvc partition` parts by"
    )
    database_pool: int = Field(10, ge=1, le=500, description="PostgreSQL: connections that one process keeps open")
    database_overflow: int = Field(10, ge=0, le=500, description="PostgreSQL: further connections under load")
    database_pool_wait_seconds: float = Field(10, gt=0, description="PostgreSQL: longest wait for a free connection")
    database_connect_seconds: int = Field(5, ge=1, description="PostgreSQL: longest wait for the server to answer a new connection")
    database_statement_seconds: int = Field(60, ge=1, description="PostgreSQL: longest statement")
    database_lock_seconds: int = Field(30, ge=1, description="PostgreSQL: longest wait for a record that another transaction holds")
    database_idle_seconds: int = Field(120, ge=10, description="PostgreSQL: a transaction that lies idle for so long is ended")
    database_audit_chains: int = Field(8, ge=1, le=64, description="PostgreSQL: hash chains of the audit that grow side by side")
    sealing_keys: Path | None = Field(None, description="Directory of the keys that seal what is at rest; unset: DATA/sealing-keys")
    audit_witness: Path | None = Field(None, description="File that notes where the audit ends; unset: DATA/audit-witness")
    audit_before_answer: bool = Field(False, description="Answer a look only once its trace is on the disk")
    seal_everything: bool = Field(False, description="Seal every resource at rest, not only those that name persons")
    signing_keys: Path | None = Field(None, description="Directory of the keys that seal documents; unset: DATA/signing-keys")
    zone: str = Field(clock.DEFAULT_ZONE, description="Zone in which dates without a zone are meant (IANA name)")
    jurisdiction: str = Field("CN", description="Jurisdiction whose policy parameters apply, for example CN-330200")
    site_name: str = Field("社区卫生服务中心", description="Name of the centre as shown on pages and cards")
    page_size: int = Field(50, ge=1, le=1000, description="Entries on a search page when the client does not say")
    page_size_max: int = Field(1000, ge=1, le=10_000, description="Most entries on one search page")
    request_limit: int = Field(64 << 20, ge=1 << 10, description="Largest request body, bytes")
    bundle_limit: int = Field(5000, ge=1, description="Most entries in one transaction or batch")
    message_limit: int = Field(32 << 20, ge=1 << 10, description="Largest HL7 message, bytes")
    https_certificate: Path | None = Field(None, description="Certificate (PEM) of API and pages; unset: no TLS here")
    https_key: Path | None = Field(None, description="Key of that certificate, where it is a file of its own")
    https_client_ca: Path | None = Field(None, description="Who may have signed a client's certificate (PEM); unset: none is asked for")
    https_client_required: bool = Field(False, description="Nobody connects without such a certificate (a port for hospitals alone)")
    mllp_certificate: Path | None = Field(None, description="Certificate (PEM) of the hospital line; unset: no TLS")
    mllp_key: Path | None = Field(None, description="Key of that certificate, where it is a file of its own")
    mllp_client_ca: Path | None = Field(None, description="Mutual TLS: who may have signed a hospital's certificate (PEM)")
    mllp_client_names: str = Field("", description="Names that such a certificate may carry (CN or DNS), with commas; empty: any it signed")
    mllp_peers: str = Field("", description="Addresses that may connect, with commas: 10.1.9.0/24, 10.2.0.7; empty: any")
    mllp_connections: int = Field(512, ge=1, description="Most hospital lines that are open at the same time")
    mllp_connections_per_peer: int = Field(128, ge=1, description="Most of them from one address")
    worker_process_from: int = Field(
        300, ge=0, description="Embedded database: with so many hospital messages waiting they get a process of their own; 0: never"
    )
    lines_apart: int = Field(0, ge=0, le=64, description="serve: processes that hospital lines have beside the API's; 0: they run in it")
    valhalla: str | None = Field(None, description="http:// address of a Valhalla service on this machine; unset: the loaded roads")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_json: bool = Field(False, description="One JSON object a line instead of readable text")
    session_idle_minutes: int = Field(30, ge=1, description="A page session ends after so many idle minutes")
    session_hours: int = Field(12, ge=1, description="A page session ends after so many hours in any case")
    notify_webhook: str = Field("", description="Address of a message gateway for emergency calls (http or https); unset: only the log")
    notify_secret: str = Field("", repr=False, description="Secret that signs what is posted to the message gateway")
    notify_smtp: str = Field("", description="Mail server HOST:PORT for emergency calls, where there is no message gateway")
    notify_sender: str = Field("", description="Mail address that emergency mails come from")
    notify_mail_gateway: str = Field("", description="Domain that turns NUMBER@DOMAIN into a text message")
    public_url: str = Field("", description="Address under which others know this server, without /fhir; unset: as each request says")
    backup_to: Path | None = Field(
        None, description="Folder of the backups; set: the timers make one at backup_at; unset: only the command"
    )
    backup_keys_to: Path | None = Field(None, description="Folder of the keys' backups, another medium than backup_to; unset: left out")
    backup_recipient: str = Field("", description="Public key of age (age1...) to which backups are closed; unset: they lie open")
    backup_at: str = Field("30 2 * * *", description="When the timers make a backup, five fields of cron in the zone")
    provider_secret: SecretStr = Field(
        SecretStr(""), description="Our client secret at the identity provider (DATA/identity-provider.toml)"
    )
    drain_seconds: float = Field(0, ge=0, description="At a stop /readyz is red for so long before doors close, for a balancer to see it")
    stop_seconds: int = Field(40, ge=1, description="Longest that a stop may take in all; then the process ends as it is, losing nothing")
    otel_endpoint: str = Field("", description="OTLP/HTTP address of an OpenTelemetry collector (pip install healthsvc[otel]); unset: off")
    otel_share: float = Field(0.1, ge=0, le=1, description="Share of the requests that are traced, where no caller has decided it")
    secure_cookies: bool = Field(False, description="Send cookies over HTTPS only; set it wherever TLS stands in front")

    _web = field_validator("notify_webhook")(values.web_address)
    _public = field_validator("public_url")(values.public_address)
    _collector = field_validator("otel_endpoint")(values.collector_address)
    _own = field_validator("valhalla")(values.own_service)
    _mails = field_validator("notify_smtp")(values.mail_server)
    _sender = field_validator("notify_sender")(values.mail_address)
    _gateway = field_validator("notify_mail_gateway")(values.domain)
    _apart = field_validator("lines_apart", mode="before")(values.how_many)
    _where = field_validator("jurisdiction")(values.jurisdiction)
    _url = field_validator("database", "database_replica")(values.database_url)
    _level = field_validator("database_partition_level")(values.code)
    _peers = field_validator("mllp_peers")(values.peers)
    _key = field_validator("backup_recipient")(values.public_key)
    _named = field_validator(*_FOLDERS, *_FILES, "audit_witness", mode="before")(values.named)
    _folder = field_validator(*_FOLDERS)(values.folder)
    _file = field_validator(*_FILES)(values.file)
    _new = field_validator("audit_witness")(values.new_file)
    _bare = field_validator("*", mode="before")(values.bare)

    @model_validator(mode="after")
    def own_tls(self) -> "Settings":
        """With TLS of our own every cookie goes over it; what is only for it is not set without it."""
        if self.https_certificate is not None:
            self.secure_cookies = True
        elif self.https_client_ca is not None or self.https_client_required or self.https_key is not None:
            raise ValueError("https_key, https_client_ca and https_client_required need https_certificate")
        if self.mllp_certificate is None and (self.mllp_client_ca is not None or self.mllp_key is not None):
            raise ValueError("mllp_key and mllp_client_ca need mllp_certificate: without it the hospital line is not closed at all")
        if self.mllp_client_names and self.mllp_client_ca is None:
            raise ValueError("mllp_client_names needs mllp_client_ca: without it no certificate is asked for")
        return self

    @model_validator(mode="after")
    def belong_together(self) -> "Settings":
        """What has no effect, or a wrong one, without another setting."""
        if self.page_size > self.page_size_max:
            raise ValueError(f"page_size ({self.page_size}) must not be more than page_size_max ({self.page_size_max})")
        if self.notify_smtp and not self.notify_sender:
            raise ValueError("notify_smtp needs notify_sender, the mail address that emergency mails come from")
        if (self.notify_sender or self.notify_mail_gateway) and not self.notify_smtp:
            raise ValueError("notify_sender and notify_mail_gateway need notify_smtp, the mail server")
        if self.database_replica is not None and not (self.database or "").startswith("postgres"):
            raise ValueError("database_replica needs a PostgreSQL database")
        if self.backup_to is not None and self.backup_keys_to is not None and values.inside(self.backup_keys_to, self.backup_to):
            raise ValueError("backup_keys_to must not be backup_to nor lie in it or around it: who finds the backups would find their keys")
        return self

    @model_validator(mode="after")
    def time_to_end(self) -> "Settings":
        """Doors close before the stop must be over."""
        if self.drain_seconds >= self.stop_seconds:
            raise ValueError(f"drain_seconds must be less than stop_seconds ({self.stop_seconds}): after it open requests are answered")
        return self

    @field_validator("zone")
    @classmethod
    def known_zone(cls, zone: str) -> str:
        """A zone that this machine knows; a wrong one would move every date."""
        if zone not in available_timezones():
            raise ValueError(f"there is no zone of this name; write an IANA name such as {clock.DEFAULT_ZONE}")
        return zone

    @field_validator("backup_at")
    @classmethod
    def known_times(cls, times: str) -> str:
        """Five fields of cron."""
        from apscheduler.triggers.cron import CronTrigger

        try:
            CronTrigger.from_crontab(times)
        except ValueError:
            raise ValueError("write five fields of cron such as 30 2 * * *") from None
        return times

    @field_validator("log_level")
    @classmethod
    def known_level(cls, level: str) -> str:
        """One of the four levels, however it is written."""
        if level.upper() not in _LEVELS:
            raise ValueError(f"write one of {', '.join(_LEVELS)}")
        return level.upper()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the site's file after the environment."""
        where = init_settings().get("data") or values.bare(env_settings().get("data")) or settings_cls.model_fields["data"].default
        return init_settings, env_settings, SiteFile(settings_cls, Path(where) / _FILE)

    @property
    def witness_file(self) -> Path:
        """Where it is noted how far the audit goes."""
        return self.audit_witness or self.data / "audit-witness"

    @property
    def sealing_folder(self) -> Path:
        """Where the keys that seal what is at rest lie."""
        return self.sealing_keys or self.data / "sealing-keys"

    @property
    def server_use(self) -> dict[str, Any]:
        """How a PostgreSQL server is used, as the store names it."""
        names = (
            "pool",
            "overflow",
            "pool_wait_seconds",
            "connect_seconds",
            "statement_seconds",
            "lock_seconds",
            "idle_seconds",
            "audit_chains",
        )
        return {name: getattr(self, f"database_{name}") for name in names}

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database or f"sqlite:///{(self.data / DATABASE).resolve()}"


def load(data: Path | None = None) -> Settings:
    """Read the settings for a data directory (``None``: the environment or the default says which).

    Raises:
        Invalid: a setting, or the file that holds them, is wrong; the text names it and never repeats a value (it may be a secret).
        Unavailable: the file cannot be read.
    """
    try:
        return Settings(data=data) if data is not None else Settings()
    except ValidationError as error:
        wrong = "; ".join(": ".join([*map(str, one["loc"]), _said(one["msg"])]) for one in error.errors(include_input=False))
        raise Invalid(
            f"a setting is wrong: {wrong}; mend HEALTHSVC_... in the environment or DATA/healthsvc.toml", reason="setting"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"DATA/healthsvc.toml is not TOML: {_said(str(error))}; mend the line, save it as UTF-8", reason="setting") from None
    except SettingsError as error:
        raise Invalid(f"the settings cannot be read: {_said(str(error))}", reason="setting") from None
    except OSError as error:
        raise Unavailable(f"DATA/healthsvc.toml cannot be read: {error.strerror}") from None


def unknown() -> list[str]:
    """Variables of the environment that look like settings and are none. Those of tests begin with ``HEALTHSVC_TESTS_``."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known and not name.startswith(f"{PREFIX}TESTS_"))


def as_its_owner(data: Path) -> None:
    """Root is let into no data directory of another user: keys and locks that it made there would shut the service out.

    Raises:
        Invalid: this process is root's, the directory is not.
    """
    if os.geteuid() != 0 or not data.is_dir() or (owner := data.stat().st_uid) == 0:
        return
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"'#{owner}'"
    raise Invalid(
        f"{data} belongs to user {name}, who could not read what root makes in it: sudo -u {name} healthsvc ..., or healthsvc-admin ... "
        "(which `healthsvc deploy systemd` writes: it takes the service's user and settings)",
        reason="not-its-owner",
    )


def sources(data: Path | None = None) -> dict[str, str]:
    """Where each setting's value comes from: command line, its variable in the environment, the site's file, or default."""
    held = load(data)
    try:
        told = sitefile.read(held.data / _FILE)
    except FileNotFoundError:
        told = {}
    given = {name.upper() for name in os.environ}
    found = {}
    for name in Settings.model_fields:
        variable = f"{PREFIX}{name.upper()}"
        if name == "data" and data is not None:
            found[name] = "command line"
        elif variable in given:
            found[name] = variable
        else:
            found[name] = f"DATA/{_FILE}" if name in told else "default"
    return found


def _said(text: str) -> str:
    """A library's words on one line, without its own preamble."""
    return " ".join(text.removeprefix("Value error, ").split())[:200]
