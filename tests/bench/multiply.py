"""A filled city taken many times: how the growth bench gets to sizes that it cannot fill one write at a time.

What the rooms made of every contract and visit of the first city (tasks, care teams, documents, encounters, findings, claims, audit) is
written again for each further one, under other ids and for other people. Where the ids stand in a text is found once (:class:`Mould`);
every copy then is one formatting. The people are others: each with a name, numbers and telephones of their own, made as the first were,
indexed by the store's own extraction, numbers hashed and bodies sealed by its own sealer, so that look-ups by hashed numbers find one
person and names are as common as in a city of that size. Organisations and staff went through the door that every write goes through.

Rows are made by two processes and written by a third without journal, each index table once, in the order of its key, and every further
index when its table is full. The audit's chain goes on row by row by the store's own function. What a copy lacks: nobody validated it or
asked the rooms (the first city, whose form it has, was), its ids tell a later minute than it was written, and its seals and PDFs are those
of the first city.
"""

import multiprocessing
import os
import re
import sqlite3
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import datetime
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from healthsvc.demo.people import one_by_one
from healthsvc.fhir.json import Resource, dumps, loads
from healthsvc.fhir.systems import CARD_TOKEN
from healthsvc.healthfile.resources import to_patient
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import claims_of
from healthsvc.installation import Installation
from healthsvc.store import writes
from healthsvc.store.audit import Act, chained
from healthsvc.store.stored import bare_of, canonical, digest_of, micros, stamped

SEED = 7
"""Of the people: the same give the same."""
PLACES = ("Organization", "Practitioner")
"""What every city has put through the door, not copied."""
MOVING: Final = {"token": "code", "reference": "target", "uri": "uri"}
"""Where a text stands that names something of the city."""
PROCESSES, AHEAD = 2, 3
CACHE_KB = 1_000_000
_HEX32 = 0xFFFFFFFF
_NAMED = re.compile(
    rb"\bp(?P<person>\d{8})\b"
    rb"|\b(?:doctor|nurse|community)-(?P<place>\d+)\b"
    rb"|\b(?P<random>[0-9a-f]{8})(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    rb'|(?<=token-sha256","value":")(?P<card>[0-9a-f]{8})'
)
_CARD = re.compile(rb"\A(?P<card>[0-9a-f]{8})")
"""The token of a contact card where it stands alone, as in the index."""
_FORMS: Final = {"person": "%08d", "place": "%d", "random": "%08x", "card": "%08x"}


class Mould:
    """A text of the first city, of which that of every other is cast."""

    __slots__ = ("form", "numbers", "steps")

    def __init__(self, said: bytes, steps: dict[str, int], named: "re.Pattern[bytes]" = _NAMED) -> None:
        numbers, own, parts, end = [], [], [], 0
        for found in named.finditer(said):
            kind = found.lastgroup or ""
            start, stop = found.span(kind)
            parts += [said[end:start].replace(b"%", b"%%"), _FORMS[kind].encode()]
            numbers.append(int(found[kind], 10 if kind in ("person", "place") else 16))
            own.append(steps[kind])
            end = stop
        self.form = b"".join((*parts, said[end:].replace(b"%", b"%%")))
        self.numbers, self.steps = tuple(numbers), tuple(own)

    def cast(self, copy: int) -> bytes:
        """The text as it stands in a copy; in copy 0 as it was."""
        return self.form % tuple([number + copy * step & _HEX32 for number, step in zip(self.numbers, self.steps, strict=True)])

    def word(self, copy: int) -> str:
        """The same where it is a word."""
        return self.cast(copy).decode()


class Kept(NamedTuple):
    """A version of a resource of the first city."""

    pk: int
    term: int
    id: Mould
    version: int
    deleted: int
    updated: int
    body: Mould


class City(NamedTuple):
    """The rows of one copy."""

    resources: list[tuple[Any, ...]]
    history: list[tuple[Any, ...]]
    index: dict[str, list[tuple[Any, ...]]]
    """Of its people; the entries of all else are moved inside of the database."""
    claims: list[tuple[str, str]]
    acts: list[Act]


class _Known:
    """The interned strings of the first city; a further one needs no other."""

    def __init__(self, ids: dict[str, int]) -> None:
        self.intern = ids.__getitem__


class FirstCity:
    """Everything that copies are made of, read once."""

    def __init__(self, here: Installation, people_each: int, a_community: int, at: datetime) -> None:
        database = here.database
        self.sealer, self.extract, self.zone = database.sealer, database.extract, ZoneInfo(database.zone)
        self.people_each, self.a_community, self.at = people_each, a_community, at
        self.steps = {"person": people_each, "place": people_each // a_community, "random": 1, "card": 1}
        with database.engine.connect() as connection:
            self.types: dict[int, str] = {one.id: one.text for one in connection.execute(text("SELECT id, text FROM term"))}
            self.terms = {said: id for id, said in self.types.items()}
            self.shift = int(connection.execute(text("SELECT max(pk) FROM resource")).scalar_one())
            self.persons, self.kept = self._current(connection)
            self.past = list(self._past(connection))
            found = connection.execute(text("SELECT key, holder FROM claim WHERE key NOT LIKE 'identifier:%' AND holder LIKE '%/%'"))
            self.claims = [(self._mould(one.key), self._mould(one.holder)) for one in found]
            acts = connection.execute(text(f"SELECT {', '.join(Act._fields)} FROM audit ORDER BY seq"))
            self.acts = [
                (act, subject, self._mould(act.patient) if act.patient else None)
                for act in (Act(*one) for one in acts)
                if act.subject and act.subject.partition("/")[0] not in PLACES and (subject := self._mould(act.subject)).numbers
            ]
        self._stream: Iterator[Person] | None = None
        self._reached = 0

    def _mould(self, said: str | bytes) -> Mould:
        return Mould(said.encode() if isinstance(said, str) else said, self.steps)

    def place_terms(self) -> str:
        """The terms of the types that every city has of its own, for a condition in SQL."""
        return ", ".join(str(self.terms[name]) for name in PLACES)

    def _current(self, connection: Connection) -> tuple[list[tuple[int, int]], list[tuple[Kept, Mould]]]:
        """Key and version of each person; everything else, with what its hash is taken of."""
        ask = f"SELECT pk, type, id, version, deleted, updated, body FROM resource WHERE type NOT IN ({self.place_terms()}) ORDER BY pk"
        persons: dict[str, tuple[int, int]] = {}
        kept = []
        for pk, term, id, version, deleted, updated, body in connection.execute(text(ask)):
            type = self.types[term]
            if type == "Patient":
                persons[id] = (pk, version)
                continue
            said = self.sealer.open_body(type, id, version, body)
            one = Kept(pk, term, self._mould(id), version, deleted, updated, self._mould(said))
            kept.append((one, self._mould(canonical(bare_of(loads(said))))))
        return [persons[id] for id in sorted(persons)], kept

    def _past(self, connection: Connection) -> Iterator[Kept]:
        """Former versions of all but people."""
        columns = "h.pk, h.type, r.id, h.version, h.deleted, h.updated, h.body"
        ask = f"SELECT {columns} FROM history h JOIN resource r USING (pk) WHERE h.type <> :person"
        for pk, term, id, version, deleted, updated, body in connection.execute(text(ask), {"person": self.terms["Patient"]}):
            said = self.sealer.open_body(self.types[term], id, version, body)
            yield Kept(pk, term, self._mould(id), version, deleted, updated, self._mould(said))

    def city(self, copy: int) -> City:
        """The rows of a copy; one process asks for them in ascending order."""
        made = City([], [], {kind: [] for kind in writes.INDEXES}, [], [])
        shift = copy * self.shift
        for number, person in enumerate(self._people(copy)):
            self._person(made, copy * self.people_each + number, person, *self.persons[number], shift)
        for one, bare in self.kept:
            id, sealed = self._cast(one, copy)
            digest = digest_of(bare.cast(copy))
            made.resources.append((one.pk + shift, one.term, id, one.version, one.deleted, one.updated, digest, sealed))
        for one in self.past:
            _, sealed = self._cast(one, copy)
            made.history.append((one.pk + shift, one.version, one.term, one.deleted, one.updated, sealed))
        made.resources.sort()
        made.claims.extend((key.word(copy), holder.word(copy)) for key, holder in self.claims)
        made.acts.extend(
            act._replace(subject=subject.word(copy), patient=patient.word(copy) if patient else None) for act, subject, patient in self.acts
        )
        return made

    def _cast(self, one: Kept, copy: int) -> tuple[str, bytes]:
        """The id of a version as it stands in a copy, and its sealed body."""
        id = one.id.word(copy)
        return id, self.sealer.close_body(self.types[one.term], id, one.version, one.body.cast(copy))

    def _people(self, copy: int) -> Iterator[Person]:
        """The persons of a copy: of the one long row of people that everybody's numbers are unique in."""
        if self._stream is None:
            self._stream = one_by_one(SEED, self.at.date())
        first = copy * self.people_each
        for _ in range(self._reached, first):
            next(self._stream)
        self._reached = first + self.people_each
        yield from islice(self._stream, self.people_each)

    def _person(self, made: City, number: int, person: Person, pk: int, version: int, shift: int) -> None:
        id, team, term, updated = f"p{number:08d}", number // self.a_community, self.terms["Patient"], micros(self.at)
        bare: Resource = {**to_patient(person, id), "managingOrganization": {"reference": f"Organization/community-{team}"}}
        for former in range(1, version):  # signing adds the doctor
            made.history.append((pk + shift, former, term, 0, updated, self._body(id, former, bare)))
            bare = {**bare, "generalPractitioner": [{"reference": f"Practitioner/doctor-{team}"}]}
        digest = digest_of(canonical(bare))
        made.resources.append((pk + shift, term, id, version, 0, updated, digest, self._body(id, version, bare)))
        known: Any = _Known(self.terms)
        for kind, rows in writes.index_rows(known, "Patient", pk + shift, self.extract(bare)).items():
            made.index[kind].extend(rows)
        made.claims.extend((self.sealer.claim(key), f"Patient/{id}") for key in claims_of(bare))

    def _body(self, id: str, version: int, bare: Resource) -> bytes:
        return self.sealer.close_body("Patient", id, version, dumps(stamped(bare, version, self.at.astimezone(self.zone))))


_first: FirstCity
"""In a process that makes copies: what it makes them of (it was forked from the one that has read it)."""


def _city(copy: int) -> City:
    return _first.city(copy)


def cities(first: FirstCity, copies: int) -> Iterator[City]:
    """The copies one by one, made ahead of whoever takes them."""
    global _first
    _first = first
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("fork")) as pool:
        waiting: deque[Future[City]] = deque()
        for copy in range(1, copies):
            waiting.append(pool.submit(_city, copy))
            if len(waiting) >= PROCESSES + AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class Bulk:
    """The file of an embedded database that nobody else has open, written without journal: whoever is killed fills it anew."""

    def __init__(self, path: Path) -> None:
        os.environ["SQLITE_TMPDIR"] = str(path.parent)
        self.connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=DELETE", "journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "temp_store=FILE"):
            self.run(f"PRAGMA {pragma}")
        self.run(f"PRAGMA cache_size=-{CACHE_KB}")
        self.run("PRAGMA threads=2")
        tables = ", ".join(f"'{name}'" for name in ("resource", "history", "claim", "audit", *(f"ix_{kind}" for kind in writes.INDEXES)))
        self.further = self.run(f"SELECT name, sql FROM sqlite_master WHERE type='index' AND sql IS NOT NULL AND tbl_name IN ({tables})")
        for name, _ in self.further:
            self.run(f"DROP INDEX {name}")
        self.begun = perf_counter()

    def run(self, sql: str) -> list[Any]:
        return self.connection.execute(sql).fetchall()

    def many(self, sql: str, rows: Any) -> None:
        self.connection.executemany(sql, rows)

    def told(self, what: str) -> None:
        sys.stdout.write(f"  {perf_counter() - self.begun:7.0f} s  {what}\n")
        sys.stdout.flush()

    def seeds(self, first: FirstCity) -> None:
        """Lay aside what the index tables hold, and of it what each copy has again, its texts taken apart."""
        own = f"SELECT pk FROM resource WHERE pk <= {first.shift} AND type NOT IN ({first.place_terms()}, {first.terms['Patient']})"
        card = first.terms.get(CARD_TOKEN)
        for kind, columns in writes.INDEX_COLUMNS.items():
            names, moving = ", ".join(columns), MOVING.get(kind)
            self.run(f"CREATE TEMP TABLE had_{kind} AS SELECT {names} FROM ix_{kind}")
            self.run(f"CREATE TEMP TABLE person_{kind} ({names})")
            self.run(f"DELETE FROM ix_{kind}")
            self.run(f"CREATE TEMP TABLE seed_{kind} ({names}, number, step)")
            rows = []
            for row in self.run(f"SELECT {names} FROM had_{kind} WHERE pk IN ({own})"):
                values = dict(zip(columns, row, strict=True))
                number = step = None
                if moving:
                    is_card = kind == "token" and values["system"] == card
                    values[moving], number, step = _apart(values[moving], first.steps, _CARD if is_card else _NAMED)
                rows.append((*values.values(), number, step))
            self.many(f"INSERT INTO seed_{kind} VALUES ({', '.join('?' * (len(columns) + 2))})", rows)
        self.run("CREATE TEMP TABLE claimed (key, holder)")

    def take(self, city: City, head: tuple[int, bytes]) -> tuple[int, bytes]:
        """Write the rows of a copy; its index entries and claims wait for the others'. Gives where the audit ends now."""
        self.run("BEGIN")
        self.many("INSERT INTO resource (pk, type, id, version, deleted, updated, hash, body) VALUES (?,?,?,?,?,?,?,?)", city.resources)
        self.many("INSERT INTO history (pk, version, type, deleted, updated, body) VALUES (?,?,?,?,?,?)", sorted(city.history))
        for kind, rows in city.index.items():
            written = writes.INDEX_COLUMNS[kind]
            self.many(f"INSERT INTO person_{kind} ({', '.join(written)}) VALUES ({', '.join('?' * len(written))})", rows)
        self.many("INSERT INTO claimed VALUES (?, ?)", city.claims)
        seq, previous = head
        rows = [(seq + nth, *act, before, after) for nth, (act, before, after) in enumerate(chained(previous, city.acts), 1)]
        columns = ("seq", *Act._fields, "previous", "hash")
        self.many(f"INSERT INTO audit ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows)
        self.run("COMMIT")
        return (rows[-1][0], rows[-1][-1]) if rows else head

    def finish(self, first: FirstCity, copies: int) -> None:
        """Write the index tables in the order of their keys, then every further index."""
        self.run("CREATE TEMP TABLE copy (k INTEGER PRIMARY KEY)")
        self.many("INSERT INTO copy VALUES (?)", [(copy,) for copy in range(1, copies)])
        for kind, columns in writes.INDEX_COLUMNS.items():
            names, key = ", ".join(columns), ", ".join(column.name for column in writes.INDEXES[kind].primary_key)
            moved = {"pk": f"pk + k * {first.shift}"} | ({MOVING[kind]: _together(MOVING[kind])} if kind in MOVING else {})
            again = ", ".join(moved.get(name, name) for name in columns)
            self.run(
                f"INSERT INTO ix_{kind} ({names}) SELECT * FROM (SELECT {names} FROM had_{kind} "
                f"UNION ALL SELECT {names} FROM person_{kind} UNION ALL SELECT {again} FROM seed_{kind} CROSS JOIN copy) ORDER BY {key}"
            )
            for part in ("had", "person", "seed"):
                self.run(f"DROP TABLE {part}_{kind}")
            self.told(f"ix_{kind}")
        self.run("INSERT INTO claim (key, holder) SELECT key, holder FROM claimed ORDER BY key")
        self.run("DROP TABLE claimed")
        self.told("claim")
        for name, sql in self.further:
            self.run(sql)
            self.told(name)
        self.run("PRAGMA journal_mode=DELETE")
        self.run("PRAGMA locking_mode=NORMAL")
        self.run("PRAGMA journal_mode=WAL")
        self.connection.close()


def _together(column: str) -> str:
    """SQL for the text of a copy, where the table holds how it is printed."""
    return f"CASE WHEN number IS NULL THEN {column} ELSE printf({column}, (number + k * step) & {_HEX32}) END"


def _apart(said: str, steps: dict[str, int], named: "re.Pattern[bytes]") -> tuple[str, int | None, int | None]:
    """A text with at most one number that moves: how it is printed, the number and its step; the text alone where none moves."""
    mould = Mould(said.encode(), steps, named)
    if not mould.numbers:
        return said, None, None
    (number,), (step,) = mould.numbers, mould.steps
    return mould.form.decode(), number, step


def multiply(here: Installation, people_each: int, a_community: int, at: datetime, copies: int) -> None:
    """Let an embedded installation hold so many cities like its first; closes it, for its file is written by itself."""
    begun = perf_counter()
    first = FirstCity(here, people_each, a_community, at)
    with here.database.engine.connect() as connection:
        seq, hash = connection.execute(text("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")).one()
    path = Path(here.database.engine.url.database or "")
    here.close()
    making = cities(first, copies)
    head = (int(seq), bytes(hash))
    bulk: Bulk | None = None
    for number, city in enumerate(making, 1):
        if bulk is None:  # the processes have been forked: none of them has the file open
            bulk = Bulk(path)
            bulk.seeds(first)
            bulk.told(f"the first city read, {perf_counter() - begun:.0f} s since the beginning")
        head = bulk.take(city, head)
        if number % max(1, (copies - 1) // 10) == 0:
            bulk.told(f"copy {number} of {copies - 1}")
    if bulk is not None:
        bulk.finish(first, copies)
