"""What a DBA may have set up otherwise than we need it: one clear sentence, or we go on as if nothing were odd."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from ports import free_port
from sqlalchemy import text
from sqlalchemy.engine import make_url

from healthsvc import clock
from healthsvc.backup import postgresql as backup
from healthsvc.config import Settings
from healthsvc.errors import Invalid, Refusal, Unavailable
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM
from healthsvc.store.bell import CHANGES
from healthsvc.store.postgres import conninfo, psycopg_url
from healthsvc.store.work_queue import prepare

pytestmark = pytest.mark.postgres


def sql(url: str, *statements: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


def lives(url: str, data: Path) -> str:
    """Write, read, find in order, ring, leave long work; gives the schema of our tables."""
    here = open_installation(settings=Settings(data=data, database=url))
    try:
        prepare(here.database.engine)
        with here.database.writing(SYSTEM, at=clock.now()) as store:
            for id, name in (("p1", "测试乙"), ("p2", "测试甲"), ("p3", "Ab"), ("p4", "aa")):
                store.put({"resourceType": "Patient", "id": id, "name": [{"text": name}], "birthDate": "1930-01-01"})
        with here.database.reading(SYSTEM, at=clock.now()) as store:
            assert [one["id"] for one in store.select("Patient", name="测试")] == ["p1", "p2"]
            assert [one["id"] for one in store.select("Patient", _sort="name")] == ["p4", "p3", "p1", "p2"], "by their bytes, as on SQLite"
            assert len(store.select("Patient", birthdate="1930-01-01")) == 4
            assert store.connection.execute(text("SHOW statement_timeout")).scalar_one() == "1min"
            schema = store.connection.execute(text("SELECT schemaname FROM pg_tables WHERE tablename = 'resource'")).scalar_one()
        rung = here.database.bell.subscribe(CHANGES)
        here.database.bell.ring(CHANGES)
        assert rung.wait(5)
    finally:
        here.close()
    return str(schema)


def refused(url: str, data: Path) -> Refusal:
    with pytest.raises(Refusal) as told:
        open_installation(settings=Settings(data=data, database=url))
    return told.value


def named(server: str, name: str, options: str = "") -> str:
    """A new database of this name."""
    sql(server, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name} {options}")
    return server.rpartition("/")[0] + f"/{name}"


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_name_is_refused(postgres_server: str, tmp_path: Path, encoding: str) -> None:
    url = named(postgres_server, f"unfit_{encoding.lower()}", f"ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    told = refused(url, tmp_path)
    assert isinstance(told, Invalid)
    assert f"encoding {encoding}" in told.text
    assert "createdb --encoding=UTF8" in told.text


def test_settings_of_the_database_and_another_collation_change_nothing(postgres_server: str, tmp_path: Path) -> None:
    odd = "ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'zh-CN' LOCALE 'C.UTF-8' TEMPLATE template0"
    url = named(postgres_server, "odd", odd)
    said = {
        "timezone": "'America/St_Johns'", "datestyle": "'German'", "client_encoding": "'GBK'", "bytea_output": "'escape'",
        "default_transaction_isolation": "'serializable'", "standard_conforming_strings": "off", "intervalstyle": "'iso_8601'",
        "statement_timeout": "'10ms'",
    }  # fmt: skip
    sql(url, *(f"ALTER DATABASE odd SET {name} TO {value}" for name, value in said.items()))
    lives(url, tmp_path)


def test_a_user_without_rights_beyond_a_schema_of_its_own_is_enough(postgres_server: str, tmp_path: Path) -> None:
    sql(postgres_server, "DROP ROLE IF EXISTS plain", "CREATE ROLE plain LOGIN NOSUPERUSER NOCREATEDB")
    url = named(postgres_server, "shared")
    told = refused(url.replace("healthsvc@", "plain@"), tmp_path / "none")
    assert "make it the owner of the database, or of a schema" in told.text
    sql(url, "CREATE SCHEMA app AUTHORIZATION plain", "ALTER ROLE plain IN DATABASE shared SET search_path TO app")
    assert lives(url.replace("healthsvc@", "plain@"), tmp_path / "shared") == "app"
    sql(postgres_server, "DROP DATABASE shared", "DROP ROLE plain")


def test_who_is_not_let_in_is_told_why(postgres_server: str, tmp_path: Path) -> None:
    url = named(postgres_server, "closed")
    sql(url, "ALTER DATABASE closed SET default_transaction_read_only TO on")
    assert "the server takes no writes" in refused(url, tmp_path).text
    sql(postgres_server, "ALTER DATABASE closed ALLOW_CONNECTIONS false")
    assert "takes no connections now" in refused(url, tmp_path).text
    assert "is there such a role" in refused(url.replace("healthsvc@", "nobody@"), tmp_path).text
    sql(postgres_server, "DROP ROLE IF EXISTS few", "CREATE ROLE few LOGIN CONNECTION LIMIT 0")
    assert "raise its max_connections" in refused(postgres_server.replace("healthsvc@", "few@"), tmp_path).text
    sql(postgres_server, "DROP ROLE few", "DROP DATABASE closed")
    assert isinstance(refused("postgresql://healthsvc@127.0.0.1:5432x/name", tmp_path), Invalid)
    assert isinstance(refused("postgresql://healthsvc@nowhere.invalid/name", tmp_path), Unavailable)


def test_several_servers_are_named_as_libpq_names_them(postgres_url: str, tmp_path: Path) -> None:
    """After a change of servers the one that takes writes is found, by the bell and by pg_dump, too."""
    here = make_url(postgres_url)
    url = f"postgresql://healthsvc@127.0.0.1:1,127.0.0.1:{here.port}/{here.database}?target_session_attrs=read-write"
    lives(url, tmp_path)
    told = conninfo(make_url(psycopg_url(url)))
    assert psycopg.conninfo.conninfo_to_dict(told) == {
        "host": "127.0.0.1,127.0.0.1", "port": f"1,{here.port}", "user": "healthsvc", "dbname": here.database,
        "target_session_attrs": "read-write",
    }  # fmt: skip
    with backup.reading(url) as connection:
        name, _, _ = backup.snapshot(connection)
        assert b"".join(backup.dump(url, name)).startswith(b"PGDMP")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def pooler(url: str, folder: Path, mode: str, *lines: str) -> Iterator[str]:
    """pgbouncer in front of a database."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("needs a pooler: apt-get install pgbouncer")
    there = make_url(url)
    port = free_port()
    folder.mkdir()
    told = [
        "[databases]", f"{there.database} = host=127.0.0.1 port={there.port} user=healthsvc", "[pgbouncer]", "listen_addr = 127.0.0.1",
        f"listen_port = {port}", "auth_type = any", "unix_socket_dir =", f"pool_mode = {mode}", *lines,
    ]  # fmt: skip
    (folder / "pgbouncer.ini").write_text("\n".join(told) + "\n")
    for path in (folder, folder / "pgbouncer.ini"):
        path.chmod(0o755)
    as_root = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([program, *as_root, str(folder / "pgbouncer.ini")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 10
        while not listens(port):
            assert process.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.02)
        yield f"postgresql://healthsvc@127.0.0.1:{port}/{there.database}"
    finally:
        process.terminate()
        process.wait(10)


def test_a_pooler_must_work_by_session_and_the_refusal_says_so(postgres_url: str, tmp_path: Path) -> None:
    with pooler(postgres_url, tmp_path / "a", "transaction") as url:
        assert "ignore_startup_parameters = options" in refused(url, tmp_path / "data").text
    ignoring = "ignore_startup_parameters = options"
    with pooler(postgres_url, tmp_path / "b", "transaction", ignoring) as url:
        told = refused(url, tmp_path / "data")
        assert isinstance(told, Invalid)
        assert "pool_mode = session" in told.text
    with pooler(postgres_url, tmp_path / "c", "session", ignoring) as url:
        lives(url, tmp_path / "data")
