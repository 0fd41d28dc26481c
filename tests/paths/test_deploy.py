"""What is written out for a deployment is whole: units that systemd takes, commands that we have, an installation without a network."""

import hashlib
import json
import os
import pwd
import re
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import yaml
from fastapi import FastAPI
from served import COMMAND
from typer import TyperException
from typer.main import get_command
from typer.testing import CliRunner

from healthsvc import clock
from healthsvc.config import Settings
from healthsvc.deploy.units import UNITS, units
from healthsvc.deploy.wheelhouse import LOCK, locked, make, plan
from healthsvc.documents.service import freeze_scan
from healthsvc.errors import Conflict, Invalid, Unavailable
from healthsvc.installation import open_installation
from healthsvc.main import cli
from healthsvc.monitoring.probes import router as probes
from healthsvc.store import SYSTEM
from integrations.address import Address
from integrations.api import Api
from integrations.commands import MEND_FIRST
from integrations.hospitals.shelf import Shelf

ROOT = Path(__file__).resolve().parents[2]
EXPOSED = 2.5
"""Most exposure that `systemd-analyze security` may find (0 is none, 10 is all; it calls up to 2 well protected)."""


def written(folder: Path, *words: str) -> Path:
    done = CliRunner().invoke(cli, ["deploy", *words, "--out", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


def test_systemd_takes_the_units_and_finds_them_closed(tmp_path: Path) -> None:
    folder = written(tmp_path / "units", "systemd", "--prefix", sys.prefix, "--data", "/var/lib/healthsvc")
    assert (folder / "healthsvc.env").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in folder.iterdir()} == {unit.name for unit in UNITS} | {
        "healthsvc.target",
        "healthsvc.env",
        "healthsvc-admin",
    }
    found = shutil.which("systemd-analyze")
    if found is None:
        assert "NoNewPrivileges=yes" in (folder / "healthsvc.service").read_text()
        return
    for unit in UNITS:
        path = folder / unit.name.replace("@.", "@8001.")
        if not path.exists():
            shutil.copy(folder / unit.name, path)
        checked = subprocess.run([found, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
        wrong = [line for line in checked.stderr.splitlines() if path.name in line or "healthsvc" in line]
        assert wrong == [], checked.stderr
        words = [found, "security", "--offline=yes", f"--threshold={int(EXPOSED * 10)}", str(path)]
        judged = subprocess.run(words, capture_output=True, text=True, check=False)
        assert judged.returncode == 0, judged.stdout[-2000:] + judged.stderr


def test_every_unit_and_container_runs_words_that_serve_knows(tmp_path: Path) -> None:
    told = [unit.words.replace("%i", "8001").split() for unit in UNITS]
    compose = yaml.safe_load((written(tmp_path / "compose", "compose") / "compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"postgres", "api-1", "api-2", "feeds", "worker", "timers"}
    for name, service in services.items():
        kind, *asks = service["healthcheck"]["test"]
        assert name == "postgres" or (kind == "CMD" and [shlex.quote(word) for word in asks] == asks), "podman-compose 1.0 garbles quotes"
        assert service["cap_drop"] == ["ALL"], name
        if name != "postgres":
            assert service["read_only"] is True
            assert service["command"][0] == "serve"
            assert f"LimitNOFILE={service['ulimits']['nofile']}\n" in dict(units(Path("/o"), Path("/d")))["healthsvc.service"]
            told.append(service["command"][1:])
    serve = get_command(cli).commands["serve"]  # type: ignore[attr-defined]
    for words in told:
        serve.make_context("serve", list(words))
    with pytest.raises(TyperException):
        serve.make_context("serve", ["--only", "nobody"])
    password = dict(line.split("=", 1) for line in (tmp_path / "compose" / "healthsvc.env").read_text().splitlines())["POSTGRES_PASSWORD"]
    assert len(password) >= 32
    assert "USER 10001" in (tmp_path / "compose" / "Containerfile").read_text()


def test_what_is_written_starts_on_a_new_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hospital line beyond the machine wants a link profile, which a new data directory has not: nothing listens there unasked."""
    listens = [word for unit in UNITS for word in re.findall(r"--mllp (\S+)", dict(units(Path("/o"), Path("/d")))[unit.name])]
    folder = written(tmp_path / "compose", "compose")
    services = yaml.safe_load((folder / "compose.yaml").read_text())["services"]
    assert services["feeds"]["profiles"] == ["hospitals"]
    unasked = [one["command"] for one in services.values() if "command" in one and "profiles" not in one]
    unasked.append(json.loads((folder / "Containerfile").read_text().split("\nCMD ")[1]))
    listens += [words[words.index("--mllp") + 1] for words in unasked if "--mllp" in words]
    assert listens
    for address in listens:
        Shelf((), None).check_listening(address)
    monkeypatch.setenv("HEALTHSVC_ZONE", "Mars/Base")
    assert serve(tmp_path / "data").returncode == MEND_FIRST
    assert f"\nRestartPreventExitStatus={MEND_FIRST}\n" in dict(units(Path("/o"), Path("/d")))["healthsvc.service"]
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Unavailable) as refused:
        Api(None, Address("127.0.0.1", taken.getsockname()[1]))
    assert refused.value.exit_code != MEND_FIRST, "an address that is taken may be free in a moment: it is tried again"


def serve(data: Path) -> "subprocess.CompletedProcess[str]":
    """In a process of its own: serving takes over the signals of the process that it is in, and its watchdog ends it."""
    words = [sys.executable, "-m", "healthsvc.main", "serve", "--data", str(data)]
    env = {name: value for name, value in os.environ.items() if name != "HEALTHSVC_DATABASE"}
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, env=env)


def test_a_program_older_than_its_database_is_not_started_again_and_again(tmp_path: Path) -> None:
    """Starting it once more changes nothing: a supervisor hears that somebody has to come."""
    open_installation(settings=Settings(data=tmp_path)).close()
    with closing(sqlite3.connect(tmp_path / "healthsvc.sqlite")) as later, later:
        later.execute("UPDATE alembic_version SET version_num='9999_later'")
        later.execute("UPDATE schema_promise SET oldest='9999_later'")
    done = serve(tmp_path)
    assert "run the newer healthsvc" in " ".join(done.stderr.split())
    assert done.returncode == MEND_FIRST


def test_where_its_keys_are_gone_it_is_not_started_again_and_again(tmp_path: Path) -> None:
    """One sentence says which and how to get them back; nothing is made in their place."""
    here = open_installation(settings=Settings(data=tmp_path))
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Patient", "id": "p", "name": [{"text": "某"}]})
        freeze_scan(store, b"%PDF-1.7 scan", title="协议", kind="contract", patient="p")
    here.close()
    (tmp_path / "signing-keys").rename(tmp_path / "away")
    done = serve(tmp_path)
    told = " ".join(done.stderr.split())
    assert done.returncode == MEND_FIRST, told
    assert "the signing keys of the sealed documents are not in" in told
    assert "back from its backup" in told
    assert not (tmp_path / "signing-keys").exists()


def test_where_it_listens_is_told_when_the_units_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "units"
    words = ["deploy", "systemd", "--out", str(folder), "--http", "0.0.0.0:443", "--mllp", "10.1.2.3:2575"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0
    assert "/var/lib/healthsvc/hospitals" in done.stderr
    assert 'listen = ["10.1.2.3:2575"]' in done.stderr
    said = {unit.name: (folder / unit.name).read_text().splitlines() for unit in UNITS}
    low = {"CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "AmbientCapabilities=CAP_NET_BIND_SERVICE", "PrivateUsers=no"}
    assert {name for name, lines in said.items() if low <= set(lines)} == {"healthsvc.service"}
    assert {name for name, lines in said.items() if {"CapabilityBoundingSet=", "PrivateUsers=yes"} <= set(lines)} == said.keys() - {
        "healthsvc.service"
    }
    assert {name for name, lines in said.items() if any("--mllp 10.1.2.3:2575" in line for line in lines)} == {
        "healthsvc.service",
        "healthsvc-feeds.service",
    }
    for wrong in ("443", "0.0.0.0", "a b:1", "$x:1"):
        done = CliRunner().invoke(cli, ["deploy", "systemd", "--out", str(tmp_path / "wrong"), "--http", wrong])
        assert isinstance(done.exception, Invalid)
        assert not (tmp_path / "wrong").exists()


def test_a_supervisor_hears_when_it_answers_and_when_it_stops(tmp_path: Path) -> None:
    """What ``Type=notify`` and ``WatchdogSec`` of the units wait for."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(60)
        words = [*COMMAND, "serve", "--only", "timers", "--data", str(tmp_path / "data"), "--probes", "127.0.0.1:0"]
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        with subprocess.Popen(words, env={**os.environ, **told}, stdout=subprocess.PIPE) as running:
            try:
                ready = heard.recv(4096).decode().splitlines()
                assert ready[0] == "READY=1"
                where = re.fullmatch(r"STATUS=ready probes=(http://\S+)", ready[1])
                assert where
                assert httpx.get(f"{where[1]}/readyz").status_code == 200
                assert [heard.recv(4096) for _ in range(3)] == [b"WATCHDOG=1"] * 3
                running.terminate()
                while (word := heard.recv(4096)) == b"WATCHDOG=1":
                    pass
                assert word.startswith(b"STOPPING=1\n")
                assert running.wait(30) == 0
            finally:
                running.kill()


def test_root_s_own_mask_shuts_nobody_out(tmp_path: Path) -> None:
    """Hardened machines give root the mask 077 or 027; a service of another user must be able to read what was installed."""
    shutil.copy(ROOT / "healthsvc" / "deploy" / "files" / "install.sh", tmp_path)
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256((tmp_path / 'install.sh').read_bytes()).hexdigest()}  install.sh\n")
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\ntest "$2" != venv || { mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && cp "$0" "$3/bin/healthsvc"; }\necho /usr/lib/x\n'
    )
    python.chmod(0o755)
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o700)
    for target in (tmp_path / "opt" / "venv", shut / "opt" / "venv"):
        done = subprocess.run(
            ["sh", "-c", f"umask 077; PYTHON={python} sh {tmp_path}/install.sh {target}"], capture_output=True, text=True, check=True
        )
        for made in (target.parent, target, target / "bin", target / "bin" / "python"):
            assert made.stat().st_mode & 0o055 == 0o055, made
        assert (f"chmod o+x {shut}\n" in done.stderr) == (target.is_relative_to(shut)), done.stderr


def test_a_container_s_health_is_asked_by_words_that_any_shell_leaves_as_they_are(tmp_path: Path) -> None:
    container = (written(tmp_path, "container") / "Containerfile").read_text()
    asks = json.loads(container.split("HEALTHCHECK")[1].split("CMD ", 1)[1].split("\n")[0])
    assert [shlex.quote(word) for word in asks] == asks
    assert "COPY wheelhouse" not in container, "it would stay in a layer"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    words = [sys.executable, *asks[1:-1]]
    gone = subprocess.run([*words, f"http://127.0.0.1:{port}/livez"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (gone.returncode, "refused" in gone.stderr) == (1, True)
    alone = FastAPI()
    alone.include_router(probes(None, threading.Event()))  # type: ignore[arg-type]
    api = Api(alone, Address("127.0.0.1", 0))
    port = api.start()
    try:
        # as podman-compose 1.0.3 hands it on: one word to a shell, given to another
        asked = subprocess.run(["sh", "-c", "/bin/sh -c " + "' '".join([*words, f"http://127.0.0.1:{port}/livez"])], check=False, cwd=ROOT)
    finally:
        api.stop()
    assert asked.returncode == 0


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    written(tmp_path, "container")
    done = CliRunner().invoke(cli, ["deploy", "container", "--out", str(tmp_path)])
    assert isinstance(done.exception, Conflict)
    assert next(units(Path("/opt/x"), Path("/srv/y")))[1].count("/opt/x") == 1


def test_the_units_let_the_service_write_where_its_backups_go(tmp_path: Path) -> None:
    """Everything else is read-only for it: a folder of backups that no unit names would fail every night."""
    folder = written(tmp_path / "units", "systemd", "--user", "care", "--backup-to", "/mnt/b", "--backup-keys-to", "/mnt/k")
    told = (folder / "healthsvc.env").read_text().splitlines()
    assert {"HEALTHSVC_BACKUP_TO=/mnt/b", "HEALTHSVC_BACKUP_KEYS_TO=/mnt/k"} <= set(told)
    for unit in UNITS:
        lines = (folder / unit.name).read_text().splitlines()
        assert {"ReadWritePaths=-/var/lib/healthsvc -/mnt/b -/mnt/k", "User=care", "ProtectSystem=strict"} <= set(lines), unit.name
        # numpy's OpenBLAS asks for mbind, of @resources, as it is loaded: without a number the process would be ended by SIGSYS
        assert {"SystemCallFilter=~@privileged @resources", "SystemCallErrorNumber=EPERM"} <= set(lines), unit.name
    for odd in ("data", "/srv/my data"):
        done = CliRunner().invoke(cli, ["deploy", "systemd", "--out", str(tmp_path / "odd"), "--data", odd])
        assert isinstance(done.exception, Invalid)
        assert not (tmp_path / "odd").exists()


def test_commands_by_hand_run_as_the_service_does(tmp_path: Path) -> None:
    me, program = pwd.getpwuid(os.getuid()).pw_name, tmp_path / "venv" / "bin" / "healthsvc"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nenv | grep ^HEALTHSVC_\numask\nid -un\nfor one; do echo "[$one]"; done\n')
    program.chmod(0o755)
    folder = written(tmp_path / "units", "systemd", "--prefix", str(tmp_path / "venv"), "--data", "/srv/care", "--user", me)
    settings = tmp_path / "healthsvc.env"
    lines = ["# HEALTHSVC_ZONE=no", "", "  HEALTHSVC_DATABASE=postgresql://u:a&b$c=d@h/n", "HEALTHSVC_LOG_JSON=true"]
    lines += ['HEALTHSVC_SITE_NAME="示范 中心"', "HEALTHSVC_NOTIFY_SECRET='a\"b'"]  # as systemd takes them, with line ends of Windows
    settings.write_bytes("\r\n".join(lines).encode())
    done = subprocess.run(
        [str(folder / "healthsvc-admin"), "roads", "load", "a b.pbf"],
        env={"PATH": os.environ["PATH"], "ENVIRONMENT_FILE": str(settings)},
        capture_output=True,
        text=True,
        check=True,
    )
    told = ["HEALTHSVC_DATABASE=postgresql://u:a&b$c=d@h/n", "HEALTHSVC_DATA=/srv/care", "HEALTHSVC_LOG_JSON=true"]
    told += ["HEALTHSVC_SITE_NAME=示范 中心", 'HEALTHSVC_NOTIFY_SECRET=a"b']
    assert sorted(done.stdout.splitlines()[:5]) == sorted(told)
    assert done.stdout.splitlines()[5:] == ["0077", me, "[roads]", "[load]", "[a b.pbf]"]


def test_root_makes_nothing_in_a_data_directory_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and locks of root's would shut the service out of its own installation."""
    data = tmp_path / "data"
    data.mkdir()
    if os.geteuid() == 0:
        os.chown(data, 1, 1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for words in (["user", "add", "x", "--role", "nurse"], ["backup", str(tmp_path / "to")], ["serve"]):
        done = CliRunner().invoke(cli, [*words, "--data", str(data)])
        assert isinstance(done.exception, Invalid), words
        assert f"sudo -u {pwd.getpwuid(data.stat().st_uid).pw_name} " in done.exception.text
    done = CliRunner().invoke(cli, ["doctor", "--data", str(data)])
    assert done.exit_code == 1
    assert "belongs to user" in done.output
    assert list(data.iterdir()) == []


def test_the_runtime_s_lock_is_the_lock_s_and_holds_what_the_service_needs() -> None:
    import tomllib

    runtime, all_ = dict(locked(LOCK.read_text())), dict(locked((ROOT / "requirements.lock").read_text()))
    assert [name for name, version in runtime.items() if all_.get(name) != version] == [], "run `make lock`"
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {
        line.split(";")[0].split("[")[0].split(">")[0].split("=")[0].split("<")[0].strip().lower().replace(".", "-") for line in wanted
    }
    assert names - runtime.keys() == set(), "run `make lock`"
    assert LOCK.read_text().count("--hash=sha256:") >= len(runtime)
    assert "pytest" not in runtime


def test_the_plan_of_a_wheelhouse_checks_every_hash(tmp_path: Path) -> None:
    fetched, built = plan(tmp_path / "out", ROOT, ["manylinux_2_28_aarch64"])
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:", "manylinux_2_28_aarch64"} <= set(fetched)
    assert {"--no-deps", "--no-build-isolation"} <= set(built)
    script = (ROOT / "healthsvc" / "deploy" / "files" / "install.sh").read_text()
    assert "--no-index" in script
    assert "--require-hashes" in script
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(Conflict):
        make(tmp_path / "full", ROOT)
    with pytest.raises(Invalid, match="source tree"):
        make(tmp_path / "out", tmp_path / "full")


def test_a_wheelhouse_that_was_changed_on_its_way_is_not_installed(tmp_path: Path) -> None:
    shutil.copy(ROOT / "healthsvc" / "deploy" / "files" / "install.sh", tmp_path)
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  install.sh\n")
    done = subprocess.run(["sh", str(tmp_path / "install.sh"), str(tmp_path / "venv")], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "changed on its way" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_what_containers_and_units_name_exists(tmp_path: Path) -> None:
    """Settings by their names, ports on which that very service listens, paths that are answered and mounted, a stop that is waited for."""
    folder = written(tmp_path / "compose", "compose")
    said = {path.name: path.read_text() for path in folder.iterdir()}
    told = dict(line.split("=", 1) for line in said["healthsvc.env"].splitlines())
    said |= dict(units(Path("/opt/healthsvc/venv"), Path("/var/lib/healthsvc")))
    known = {f"HEALTHSVC_{name.upper()}" for name in Settings.model_fields}
    for name, text in said.items():
        assert set(re.findall(r"HEALTHSVC_[A-Z_]+", text)) <= known, name
        for seconds in re.findall(r"(?:stop_grace_period: |TimeoutStopSec=)(\d+)", text):
            assert int(seconds) > Settings().stop_seconds, name
    compose = yaml.safe_load(said["compose.yaml"])
    lines = said["Containerfile"].splitlines()
    image = {word: rest for word, _, rest in (line.partition(" ") for line in lines if line and line[0].isupper())}
    container = Path(ROOT / "healthsvc" / "deploy" / "files" / "Containerfile").read_text()
    alone = {"command": json.loads(image["CMD"]), "healthcheck": {"test": container.split("HEALTHCHECK")[1].split("\n")[1]}}
    for name, service in {**compose["services"], "alone": alone}.items():
        if name == "postgres":
            continue
        words = service["command"]
        listens = {words[at + 1].rpartition(":")[2] for at, word in enumerate(words) if word in ("--http", "--mllp", "--probes")}
        asked = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", str(service["healthcheck"]["test"]))
        assert asked, name
        assert asked[1] in listens - {"2575"}, name
        assert asked[2] in {route.path for route in probes(None, threading.Event()).routes}, name  # type: ignore[arg-type, attr-defined]
        assert {port.rpartition(":")[2] for port in service.get("ports", ())} <= listens, name
        assert listens <= set(image["EXPOSE"].split()), name
    mounted = {one.partition(":")[2] for one in compose["x-role"]["volumes"]}
    assert {one.partition(":")[0] for service in compose["services"].values() for one in service["volumes"]} == set(compose["volumes"])
    assert set(re.findall(r"/[a-z]+", container.split("install -d", 1)[1].split("\n", 1)[0])) == mounted
    assert re.search(r"HEALTHSVC_DATA=(\S+)", container)[1] in mounted  # type: ignore[index]
    assert {value for name, value in told.items() if name.endswith("_TO")} <= mounted
