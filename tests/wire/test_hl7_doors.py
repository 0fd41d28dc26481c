"""The other doors of the hospital line: TLS with and without a client's certificate, folders, HTTP, batches of any size."""

import asyncio
import gc
import json
import os
import resource
import socket
import sqlite3
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from serving import serving
from structlog.testing import LogCapture

from healthsvc import clock
from healthsvc.access import tokens
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.errors import Invalid, TooLarge
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM, Database
from healthsvc.store.anteroom import carry_over
from integrations import feeds, refusals
from integrations.address import allowed_peers
from integrations.feeds import Feeds
from integrations.folder import Folders
from integrations.hl7v2.batch import messages_of, split
from integrations.hl7v2.replies import belongs, read_reply
from integrations.hospitals.destination import Destination
from integrations.hospitals.shelf import shelf
from integrations.http import router
from integrations.inbox import Inbox
from integrations.keep import INBOX
from integrations.mllp.client import Client, NoAnswer
from integrations.mllp.limits import Limits
from integrations.mllp.threshold import Entered, Threshold, listen_at
from integrations.mllp.tls import client_context, server_context

SITE = 'extends = "default"\nprofile = "h1"\nversion = 1\ntitle = "x"\nhospital = "h1"\n[receive]\nfolder = "{folder}"\n'


def adt(control_id: str, event: str = "A31") -> bytes:
    header = f"MSH|^~\\&|HIS|H1|C|C|20260105170124||ADT^{event}|{control_id}|P|2.4\rEVN||20260105170124\r"
    return f"{header}PID|1||C1^^^^IDCard||测试甲||19300101|M\r".encode()


def stored(database: Database) -> list[str]:
    carry_over(database)
    with database.reading(SYSTEM, at=clock.now()) as store:
        return [row.control_id for row in store.connection.execute(INBOX.select().order_by(INBOX.c.id))]


class Authority:
    """Signs certificates for the tests."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}-ca.pem"
        self.file.write_bytes(self._sign(self.name, self.key, True, 30).public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, days: int = 30) -> str:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        pem = self._sign(subject, key, False, days).public_bytes(serialization.Encoding.PEM)
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path = self.folder / f"{self.file.stem}-{name}-{days}.pem"
        path.write_bytes(pem + secret)
        return str(path)

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, ca: bool, days: int) -> x509.Certificate:
        now = datetime.now(UTC)
        built = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        built = built.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=90))
        built = built.not_valid_after(now + timedelta(days=days)).add_extension(
            x509.BasicConstraints(ca=ca, path_length=None), critical=True
        )
        if not ca:
            names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName(subject.rfc4514_string()[3:])])
            built = built.add_extension(names, critical=False)
        return built.sign(self.key, hashes.SHA256())


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "ours")


def say(port: int, own: Destination) -> str:
    with Client("localhost", port, belongs, seconds=3, tls=client_context(own)) as client:
        return read_reply(client.send(adt("T1"))).code


def test_tls_and_mutual_tls_with_the_wrong_the_expired_and_the_unlisted_certificate(database: Database, ours: Authority) -> None:
    stranger = Authority(ours.folder, "stranger")
    context = server_context(Path(ours.issue("localhost")), None, ours.file)
    line = Feeds(database, shelf(), "127.0.0.1", 0, tls=context, names=frozenset({"his"}))
    port = line.start()

    def own(certificate: str = "", ca: Path = ours.file) -> Destination:
        return Destination("h1", "localhost", port, tls=True, ca=str(ca), certificate=certificate)

    try:
        assert say(port, own(ours.issue("his"))) == "AA"
        for wrong in (
            own(),
            own(stranger.issue("his")),
            own(ours.issue("his", -1)),
            own(ours.issue("other")),
            own(ours.issue("his"), stranger.file),
        ):
            with pytest.raises(NoAnswer):
                say(port, wrong)
        with pytest.raises(NoAnswer):
            say(port, Destination("h1", "localhost", port))
        assert say(port, own(ours.issue("his"))) == "AA", "the line lives on"
    finally:
        line.stop()
    assert stored(database) == ["T1"]


def test_who_may_not_come_in_or_is_one_too_many_costs_no_handshake(database: Database, ours: Authority) -> None:
    context = server_context(Path(ours.issue("localhost")), None, None)
    limits = Limits(connections=4, per_peer=2, handshake_seconds=60)

    def allowed(peer: str) -> bool:
        if peer == "127.0.0.8":
            raise ValueError("whatever one meets with")
        return peer != "127.0.0.9"

    line = Feeds(database, shelf(), "127.0.0.1", 0, tls=context, limits=limits, allowed=allowed)
    port = line.start()

    def connected(peer: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), source_address=(peer, 0))

    def is_closed(one: socket.socket, seconds: float = 0.25) -> bool:
        one.settimeout(seconds)
        with suppress(TimeoutError):
            return one.recv(1) == b""
        return False

    before = len(os.listdir("/proc/self/fd"))
    try:
        strangers = [connected(peer) for peer in ("127.0.0.8", *["127.0.0.9"] * 20)]
        assert all(is_closed(one, 30) for one in strangers), "before a word of TLS"
        silent = [connected("127.0.0.2") for _ in range(3)]
        assert [is_closed(silent[2], 30), *map(is_closed, silent[:2])] == [True, False, False], "who only connects has a line's place"
        own = Destination("h1", "localhost", port, tls=True, ca=str(ours.file))
        assert say(port, own) == "AA", "others have theirs"
        for one in (*strangers, *silent):
            one.close()
        while is_closed(again := connected("127.0.0.2")):
            again.close()
        again.close()  # the place was free again
        assert say(port, own) == "AA"
        assert len(os.listdir("/proc/self/fd")) < before + 10
    finally:
        line.stop()


def test_an_old_tls_is_refused_and_a_wrong_file_says_so(database: Database, ours: Authority) -> None:
    line = Feeds(database, shelf(), "127.0.0.1", 0, tls=server_context(Path(ours.issue("localhost")), None, None))
    port = line.start()
    old = ssl.create_default_context(cafile=str(ours.file))
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSVersion"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with closing(socket.create_connection(("127.0.0.1", port), timeout=3)) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname="localhost")
    line.stop()
    with pytest.raises(Invalid, match="no file"):
        server_context(Path("/nowhere.pem"), None, None)
    with pytest.raises(Invalid, match="fit together"):
        server_context(Path(ours.issue("a")), Path(ours.issue("b")), None)


def test_whoever_was_accepted_in_the_moment_of_closing_is_closed_too() -> None:
    async def close_at_once() -> bytes:
        [listening] = listen_at("127.0.0.1", 0)
        told: list[str] = []
        door = Threshold(
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), 5, lambda _: True, told.append, lambda peer, _: told.append(peer), lambda _: Entered()
        )
        with socket.create_connection(listening.getsockname(), timeout=5) as client:
            door.open([listening])
            while not door._entering:  # noqa: ASYNC110 - the very next turn is meant
                await asyncio.sleep(0)
            await door.close()
            gc.collect()  # a socket that nobody has closed is complained of here
            assert told == []
            return await asyncio.to_thread(client.recv, 1)

    with ThreadPoolExecutor(1) as apart:  # a browser of another test may have a loop in this thread
        assert apart.submit(asyncio.run, close_at_once()).result() == b""


def test_who_may_connect(database: Database) -> None:
    allowed = allowed_peers("10.1.9.0/24, 192.168.7.7,::1")
    assert allowed is not None
    assert [allowed(one) for one in ("10.1.9.200", "192.168.7.7", "::ffff:10.1.9.1", "10.1.8.1", "", "::1")] == [True] * 3 + [False] * 2 + [
        True
    ]
    assert allowed_peers(" ") is None
    with pytest.raises(Invalid, match="mllp_peers: write addresses"):
        allowed_peers("10.1.9.*")
    line = Feeds(database, shelf(), "127.0.0.1", 0, allowed=allowed)
    port = line.start()
    with pytest.raises(NoAnswer), Client("127.0.0.1", port, belongs, seconds=2) as client:
        client.send(adt("X"))
    line.stop()
    assert stored(database) == []


def test_who_is_turned_away_and_why_is_told_once_a_minute(database: Database, ours: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    moment, said = [0.0], LogCapture()
    monkeypatch.setattr(refusals, "log", structlog.wrap_logger(None, processors=[said]))
    noted = refusals.Refusals(lambda: moment[0])
    for second, why in ((0, "address"), (30, "address"), (31, "limit"), (61, "address")):
        moment[0] = second
        noted.note("10.9.9.9", why)
    line = Feeds(
        database, shelf(), "127.0.0.1", 0,
        tls=server_context(Path(ours.issue("localhost")), None, ours.file), names=frozenset({"his"}),
    )  # fmt: skip
    port = line.start()
    with pytest.raises(NoAnswer):
        say(port, Destination("h1", "localhost", port, tls=True, ca=str(ours.file), certificate=ours.issue("other")))
    with closing(socket.create_connection(("127.0.0.1", port))):
        pass  # who only looks whether the port is open
    for own in (
        Destination("h1", "localhost", port),
        Destination("h1", "localhost", port, tls=True, ca=str(ours.file)),
        Destination("h1", "localhost", port, tls=True, ca=str(ours.file), certificate=ours.issue("his", -1)),
    ):
        with pytest.raises(NoAnswer):
            say(port, own)
    line.stop()
    told = [(one["peer"], one["why"]) for one in said.entries if one["event"] == "hospital line refused"]
    assert told == [
        *[("10.9.9.9", "address"), ("10.9.9.9", "limit"), ("10.9.9.9", "address"), ("127.0.0.1", "certificate-name")],
        ("127.0.0.1", "speaks no TLS"),
        ("127.0.0.1", "TLS: peer did not return a certificate"),
        ("127.0.0.1", "certificate: certificate has expired"),
    ]


def test_who_speaks_tls_to_a_line_without_it_is_named_so(database: Database, ours: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    said = LogCapture()
    monkeypatch.setattr(feeds, "log", structlog.wrap_logger(None, processors=[said]))
    line = Feeds(database, shelf(), "127.0.0.1", 0)
    port = line.start()
    own = Destination("h1", "localhost", port, tls=True, ca=str(ours.file))
    with pytest.raises(NoAnswer), Client("localhost", port, belongs, seconds=0.3, tls=client_context(own)) as client:
        client.send(adt("T1"))
    line.stop()
    assert next(one["why"] for one in said.entries if one["event"] == "hl7 line fault") == "the peer speaks TLS, this line does not"


@given(
    st.lists(
        st.sampled_from([adt("1"), adt("2").replace(b"\r", b"\r\n"), b"FHS|^~\\&\r", b"BTS|2\r", b"\x0b" + adt("3") + b"\x1c\r", b"junk\r"])
    ),
    st.integers(1, 700),
)
def test_a_file_in_pieces_gives_the_messages_of_the_whole(parts: list[bytes], size: int) -> None:
    block = b"".join(parts)
    pieces = [block[at : at + size] for at in range(0, len(block), size)]
    assert list(messages_of(pieces, 1 << 20)) == list(split(block).messages)


def test_a_message_that_is_too_long_ends_the_file_after_those_before_it() -> None:
    given_out: list[bytes] = []
    with pytest.raises(TooLarge):
        given_out.extend(messages_of([adt("1"), adt("2") + b"NTE|" + b"x" * 5000, b"y" * 5000], 4000))
    assert given_out == [adt("1")]


@pytest.fixture
def inbox(database: Database, tmp_path: Path) -> Iterator[Inbox]:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "h1.toml").write_text(SITE.format(folder=tmp_path / "in"))
    (tmp_path / "in").mkdir()
    opened = Inbox(database, shelf(tmp_path / "site"))
    opened.start()
    yield opened
    opened.stop()


def test_a_watched_folder_gives_one_result_for_each_message_and_twice_changes_nothing(inbox: Inbox, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folders = Folders(inbox, inbox.shelf, 1 << 20)
    block = b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + adt("1") + adt("2", "A40") + adt("") + b"BTS|3\rFTS|1\r"
    for _ in range(2):
        (folder / "day.hl7").write_bytes(block)
        (folder / "half.part").write_bytes(adt("9"))
        assert folders.turn() == 0, "it may still grow"
        assert folders.turn() == 1
        lines = [json.loads(line) for line in (folder / "done" / "day.hl7.result.jsonl").read_text().splitlines()]
        assert [(one["index"], one["code"], one.get("place")) for one in lines] == [(1, "AA", None), (2, "AE", "MRG"), (3, "AR", "MSH-10")]
        assert sorted(path.name for path in folder.iterdir()) == ["done", "half.part"]
    assert stored(inbox.database) == ["1", "2", ""]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for it before the database that is to give up soon."""
    monkeypatch.setattr("healthsvc.store.engine.BUSY_MILLISECONDS", 50)


def test_a_file_stays_while_the_database_cannot_write_and_holds_up_no_other(
    impatient: None, inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = LogCapture()
    monkeypatch.setattr("integrations.folder.log", structlog.wrap_logger(None, processors=[said]))
    folder, folders = tmp_path / "in", Folders(inbox, inbox.shelf, 1 << 20)
    (folder / "done" / "a.hl7.result.part").mkdir(parents=True)  # whatever is wrong with that one
    for name in ("a", "b"):
        (folder / f"{name}.hl7").write_bytes(adt(f"{name}1") + adt(f"{name}2"))
    with closing(sqlite3.connect(inbox.database.engine.url.database or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert [folders.turn(), folders.turn(), folders.turn()] == [0, 0, 0]
        other.execute("ROLLBACK")
    assert [one["file"] for one in said.entries if "cannot be taken in now" in one["event"]] == ["a.hl7", "b.hl7"], "each is told once"
    assert stored(inbox.database) == []
    assert folders.turn() == 1
    assert sorted(path.name for path in folder.iterdir()) == ["a.hl7", "done"]
    assert stored(inbox.database) == ["b1", "b2"]


def test_a_stop_waits_for_no_file_to_end(inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.folder.TURN_SECONDS", 0.01)
    monkeypatch.setattr("integrations.inbox.GROUP", 5)
    count, path = 2_000, tmp_path / "in" / "many.hl7"
    path.write_bytes(b"".join(adt(f"N{number}") for number in range(count)))
    folders = Folders(inbox, inbox.shelf, 1 << 20)
    folders.start()
    while not stored(inbox.database):
        time.sleep(0.005)
    folders.stop()
    assert 0 < len(stored(inbox.database)) < count
    assert path.exists()
    again = Folders(inbox, inbox.shelf, 1 << 20)
    assert [again.turn(), again.turn()] == [0, 1]
    assert stored(inbox.database) == [f"N{number}" for number in range(count)]


@pytest.mark.parametrize("count", [3_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_a_hundred_thousand_messages_in_one_file_need_little_memory(inbox: Inbox, tmp_path: Path, count: int) -> None:
    path = tmp_path / "in" / "many.hl7"
    with path.open("wb") as file:
        for number in range(count):
            file.write(adt(f"N{number}"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    folders = Folders(inbox, inbox.shelf, 1 << 20)
    assert [folders.turn(), folders.turn()] == [0, 1]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "KiB"
    assert stored(inbox.database) == [f"N{number}" for number in range(count)]


def test_hl7_over_http(tmp_path: Path) -> None:
    here = open_installation(settings=Settings(data=tmp_path, request_limit=100_000, message_limit=50_000))
    inbox = Inbox(here.database, shelf())
    inbox.start()
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        secrets = {role: tokens.issue_token(store, role, "test", 2) for role in ("system", "operator")}
    app = create_app(here, routers=[router(inbox, 100_000, 50_000)])
    with serving(app) as base, httpx.Client(base_url=base, timeout=30) as client:
        assert client.post("/hl7", content=adt("1")).status_code == 401
        assert client.post("/hl7", content=adt("1"), headers={"authorization": f"Bearer {secrets['operator']}"}).status_code == 403
        client.headers["authorization"] = f"Bearer {secrets['system']}"
        taken = client.post("/hl7", content=adt("1"))
        assert (taken.status_code, read_reply(taken.content).control_id) == (200, "1")
        assert client.post("/hl7", content=adt("1")).content == taken.content
        assert client.post("/hl7", content=adt("2", "A40")).status_code == 422
        assert client.post("/hl7", content=b" ").status_code == 400
        assert client.post("/hl7", content=adt("3") + b"x" * 60_000).status_code == 413
        assert client.post("/hl7", content=b"x" * 200_000).status_code == 413
        batch = client.post("/hl7", content=b"BHS|^~\\&|A\r" + b"".join(adt(f"B{n}") for n in range(5)) + b"BTS|5\r")
        assert batch.content.count(b"MSA|AA|B") == 5
        assert batch.content.endswith(b"BTS|5\r")
    inbox.stop()
    here.close()
