"""What the doctor looks at beside the program itself: each check gives a line, or raises what is wrong and how to mend it."""

import os
import ssl
import stat
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from healthsvc import clock, config
from healthsvc.backup.make import BackupPolicy, backups
from healthsvc.backup.site import keys_there
from healthsvc.commands.actor import COMMAND
from healthsvc.fhir.reference import parse
from healthsvc.monitoring import site
from healthsvc.store import retiring
from healthsvc.store.journal import peek
from healthsvc.store.journal_rows import FOREIGN, place, there
from healthsvc.store.journals_read import without_file
from healthsvc.store.migrate import head, pending
from healthsvc.store.stored import moment
from healthsvc.store.tables import NO_TERM
from healthsvc.store.tenancy import shadow, tend

if TYPE_CHECKING:
    from healthsvc.config import Settings
    from healthsvc.installation import Installation

MUCH_WAL: Final = 1 << 30
SKEW: Final = timedelta(seconds=2)
"""Clocks that differ by more put messages and leases in a wrong order."""
CERTIFICATE_DAYS: Final = 30
OLDEST_POSTGRESQL: Final = 150_000
"""The oldest on which all of this is tried."""
OLDEST_SQLITE: Final = (3, 37, 0)
MOST_LOOKED_UP: Final = 10_000
"""Absolute references that are looked at one by one (about a tenth of a second)."""
MOST_SEALS: Final = 200
"""Documents from each end whose seals are looked at."""
_OPEN: Final = stat.S_IRWXG | stat.S_IRWXO
_MUST_BE_ON: Final = ("fsync", "full_page_writes", "synchronous_commit")


class Amiss(RuntimeError):
    """Something to mend; the text says how."""


def settings(held: "Settings") -> str:
    """Whether each variable that looks like a setting is one: a misspelt one sets nothing, and nobody else says so."""
    unknown = config.unknown()
    if unknown:
        raise Amiss(f"{', '.join(unknown)} in the environment: no such setting (`healthsvc settings` lists them); mend the name")
    return f"zone {held.zone}, jurisdiction {held.jurisdiction}"


def migrations(here: "Installation") -> str:
    """Steps of the schema that wait."""
    ready, waiting = pending(here.database.engine)
    if ready or waiting:
        raise Amiss(f"{', '.join(ready + waiting)} wait: stop processes of the release before, then run `healthsvc migrate --contract`")
    return f"schema {head()}"


def partitions(here: "Installation") -> str:
    """Whether the tables are laid out by county, and everybody is where they belong."""
    if here.database.engine.dialect.name == "sqlite":
        return "an embedded database has one part"
    with here.database.engine.connect() as connection:
        if shadow.exists(connection, "laying"):
            raise Amiss("`healthsvc partition` was not ended, and every write is noted for it: call it again, or with --give-up")
        found = tend.tenants(connection)
        if not found:
            return "the tables are not laid out by county"
        new = tend.without_partition(connection, here.settings.database_partition_level)
        left = tend.unsettled(here.database, connection)
        gone = tend.no_longer(connection, here.settings.database_partition_level)
        before = shadow.exists(connection, "resource_before")
    if new:
        raise Amiss(f"{len(new)} organizations have no partition yet, their people are in the common one: run `healthsvc partition`")
    if gone:
        raise Amiss(f"{', '.join(gone)}: no county any more, but with a partition: run `healthsvc partition --dissolve {gone[0]}`")
    if left:
        raise Amiss(f"people of {len(left)} organizations are not (all) in the partition of their county: run `healthsvc partition`")
    kept = "; the tables of before the switch take room: `healthsvc partition --drop-before`" if before else ""
    former = sum(one.startswith(tend.FORMER) for one in found.values())
    return f"{len(found) - 1 - former} counties and the common part{kept}"


def address(here: "Installation") -> str:
    """Under which address others know this server; without one, which absolute references may mean what is here."""
    if here.settings.public_url:
        return f"others know this server as {here.settings.public_url}"
    with here.database.engine.connect() as connection:
        told = text("SELECT DISTINCT target FROM ix_reference WHERE target_type=:none AND target LIKE 'http%/fhir/%'")
        far = [found for (one,) in connection.execute(told, {"none": NO_TERM}) if (found := parse(one)).base is not None]
        there = text("SELECT 1 FROM resource r JOIN term t ON t.id=r.type WHERE t.text=:type AND r.id=:id")
        known = Counter(one.base for one in far[:MOST_LOOKED_UP] if connection.execute(there, {"type": one.type, "id": one.id}).first())
    if not known:
        return "HEALTHSVC_PUBLIC_URL is not set; nothing is referred to by an address that could be ours"
    base, count = known.most_common(1)[0]
    return (
        f"HEALTHSVC_PUBLIC_URL is not set: {count} references under {base} name what is here too and are taken for another server's; "
        "if that is this server, set it and run `healthsvc fhir reindex`"
    )


def retention(here: "Installation") -> str:
    """Whether inbox and outbox lose what is over."""
    with here.database.reading(COMMAND, at=clock.now()) as store:
        late = retiring.overdue(store)
    if late:
        raise Amiss(
            f"{late} messages of inbox and outbox are over for more than {retiring.LATE_DAYS} days and still there: does a process with "
            "the timers run by night (page of timers, `messages-retire`)? How long they are kept: hospital.inbox_text_days and neighbours"
        )
    return "nothing is left over"


def log_size(here: "Installation") -> str:
    """The write-ahead log of an embedded database."""
    if here.database.engine.dialect.name != "sqlite":
        return "kept by the server"
    path = Path(here.database.engine.url.database or "")
    log = path.with_name(f"{path.name}-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > MUCH_WAL:
        raise Amiss(f"{size >> 20} MiB of write-ahead log: a reader never ends; restart healthsvc, which cuts it back")
    return f"{size >> 20} MiB of write-ahead log"


def line_journals(here: "Installation") -> str:
    """Whether the journals of hospital lines that lie beside an embedded database are its own; another's would never be carried into it."""
    if here.database.engine.dialect.name != "sqlite":
        return "kept by the server"
    waits = 0
    with here.database.engine.connect() as connection:
        paths = there(Path(here.database.engine.url.database or ""))
        for path in paths:
            try:
                found = peek(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise Amiss(f"{path.name} beside the database cannot be read: {error.strerror}") from None
            if place(connection, found.id) is None and path.exists():
                raise Amiss(FOREIGN.format(journal=path.name))
            waits += found.waits
        if lost := without_file(connection):
            named = ", ".join(f"{id.hex()} (carried up to record {number})" for id, number in sorted(lost.items()))
            raise Amiss(
                f"the file of {len(lost)} line journals of this database is gone: {named}. Bring it back if somebody has moved it away: "
                "what stood there behind that record is nowhere else, and its senders were told AA. If this is a copy of the database, "
                "or the file is lost: healthsvc hl7 forget-journal ID --reason WHY"
            )
    return f"{len(paths)} beside the database, {waits} messages wait in them"


def engine(here: "Installation") -> str:
    """Version and settings of the database engine."""
    with here.database.engine.connect() as connection:
        if here.database.engine.dialect.name == "sqlite":
            version = str(connection.exec_driver_sql("SELECT sqlite_version()").scalar_one())
            if tuple(map(int, version.split("."))) < OLDEST_SQLITE:
                raise Amiss(f"SQLite {version} is too old, {'.'.join(map(str, OLDEST_SQLITE))} is needed: use a newer Python 3.11")
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
            if mode != "wal":
                raise Amiss(f"journal_mode is {mode}, not wal: the disk is no local one (NFS, SMB)? put the data directory on a local disk")
            return f"SQLite {version}, wal"
        number = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
        version = str(connection.exec_driver_sql("SHOW server_version").scalar_one())
        if number < OLDEST_POSTGRESQL:
            raise Amiss(f"PostgreSQL {version} is too old: 15 or later is needed (pg_upgrade)")
        shown = {name: str(connection.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in (*_MUST_BE_ON, "server_encoding")}
        off = [name for name in _MUST_BE_ON if shown[name] == "off"]
        if off:
            raise Amiss(f"{', '.join(off)} off: what was acknowledged may be lost at a power cut; ALTER SYSTEM SET {off[0]} = on")
        if shown["server_encoding"] != "UTF8":
            raise Amiss(f"the database's encoding is {shown['server_encoding']}: make it anew with ENCODING 'UTF8'")
        most = int(connection.exec_driver_sql("SHOW max_connections").scalar_one())
        used = int(connection.exec_driver_sql("SELECT count(*) FROM pg_stat_activity").scalar_one())
        if used > 0.9 * most:
            raise Amiss(f"{used} of {most} connections are in use: raise max_connections, or lower HEALTHSVC_DATABASE_POOL")
        return f"PostgreSQL {version}, {used} of {most} connections"


def clocks(here: "Installation") -> str:
    """Whether this machine's clock agrees with the database's and has not been set back."""
    now = clock.utc_now()
    with here.database.engine.connect() as connection:
        if here.database.engine.dialect.name == "postgresql":
            there: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            apart = abs(there - clock.utc_now())
            if apart > SKEW:
                raise Amiss(f"this clock and the database's differ by {apart.total_seconds():.0f} s: set both by NTP (chrony)")
        last = connection.execute(text("SELECT at FROM audit ORDER BY seq DESC LIMIT 1")).scalar()
    if last is not None and moment(last) > now + SKEW:
        ahead = (moment(last) - now).total_seconds()
        raise Amiss(f"the last act on record lies {ahead:.0f} s ahead of this clock: it was set back, or ran ahead then; set it by NTP")
    return "no difference found"


def keys(here: "Installation") -> str:
    """Whether only the service can read its keys."""
    folders = [folder for folder in (here.settings.sealing_folder, here.database.signing_keys) if folder is not None and folder.is_dir()]
    wide = [path for folder in folders for path in (folder, *folder.iterdir()) if path.stat().st_mode & _OPEN]
    if wide:
        raise Amiss(f"others may read {wide[0].name} and {len(wide) - 1} more: chmod 700 the folders of keys and 600 the files in them")
    return f"{sum(1 for folder in folders for _ in folder.iterdir())} files, readable by the service alone"


def seals(here: "Installation") -> str:
    """Whether the keys that sealed the frozen documents are there: without any nothing serves, but where some are gone it does, and what
    they sealed can no longer be verified. The oldest and the newest documents are looked at, where the kept keys would differ."""
    from healthsvc.documents.keys import Keyring, kid_of
    from healthsvc.documents.resources import is_frozen, seal_of

    folder = here.database.signing_keys
    held = Keyring.there(folder) if folder is not None else Keyring({})
    found: Counter[str] = Counter()
    with here.database.reading(COMMAND, at=clock.now()) as store:
        documents = "SELECT r.id FROM resource r JOIN term t ON t.id=r.type WHERE t.text='DocumentReference' ORDER BY r.id"
        for told in (f"{documents} LIMIT :most", f"{documents} DESC LIMIT :most"):
            for (id,) in store.connection.execute(text(told), {"most": MOST_SEALS}).all():
                entry = store.find("DocumentReference", id)
                if entry is not None and is_frozen(entry):
                    try:
                        found[kid_of(seal_of(entry))] += 1
                    except (ValueError, KeyError, TypeError):
                        raise Amiss(f"DocumentReference/{id} has no readable seal: run `healthsvc documents verify`") from None
    lost = [kid for kid in found if kid not in held]
    if lost:
        raise Amiss(
            f"signing key {lost[0]}{f' and {len(lost) - 1} more' if len(lost) > 1 else ''} of sealed documents is not in {folder}: put the "
            "folder back from the backup of the keys (HEALTHSVC_SIGNING_KEYS says where it lies); until then nobody can verify them"
        )
    return f"{len(found)} signing keys of the documents looked at, all there" if found else "no document is sealed yet"


def certificates(here: "Installation") -> str:
    """How long the certificates of the hospital line and of the pages hold."""
    told = []
    for of, path, key in site.certificates(here.settings):
        try:
            ends = site.end_of(path)
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(path, key)
        except ValueError:
            raise Amiss(f"{path.name} is no certificate in PEM: mend the setting of the {of}") from None
        except ssl.SSLError:
            raise Amiss(f"{(key or path).name} is not the key of {path.name}: mend the settings of the {of}") from None
        except OSError as error:
            raise Amiss(f"certificate or key of the {of}: {error.strerror}; the service's user must be able to read both") from None
        left = (ends - clock.utc_now()).days
        if left < CERTIFICATE_DAYS:
            raise Amiss(f"the certificate of the {of} ends in {left} days ({ends:%Y-%m-%d}): renew it, tell who trusts it, restart")
        told.append(f"{of} until {ends:%Y-%m-%d}")
    return ", ".join(told) or "no TLS is set here"


def backup_age(here: "Installation") -> str:
    """How old the newest backup is."""
    target = here.settings.backup_to
    if target is None:
        return "none by the clock: set backup_to, or run `healthsvc backup` from the site's own scheduler"
    limit = here.policy.fill(BackupPolicy, "backup", clock.today()).stale_hours
    found = backups(target, keys_there(here.settings))
    if not target.is_dir() or not os.access(target, os.W_OK | os.X_OK):
        raise Amiss(f"the service may not write to {target}: make it the service's own, and name it to `healthsvc deploy systemd`")
    if not found:
        raise Amiss(f"there is no whole backup in {target}: run `healthsvc backup` and look at what it says")
    age = clock.utc_now() - datetime.fromisoformat(found[0][1].created)
    hours = age.total_seconds() / 3600
    if hours > limit:
        raise Amiss(
            f"the newest backup is {hours:.0f} h old (policy: {limit}): look for 'backup failed' in the log, run `healthsvc backup`"
        )
    lacking = " without its keys (set backup_keys_to)" if "keys" in found[0][1].left_out else ""
    return f"{len(found)}, the newest {hours:.0f} h old{lacking}"
