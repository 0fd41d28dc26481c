"""A filled city taken many times: how the growth bench gets to sizes that it cannot fill one write at a time.

What the rooms made of every contract and visit of the first city (tasks, care teams, documents, encounters, findings, claims, audit) is
written again for each further one, under other ids and for other people: the rows of the tables, moved. The people themselves, their
organisations and staff are put through the door that every write goes through, each with a name, numbers and telephones of their own, so
that look-ups by hashed numbers find one person and names are as common as in a city of that size. Bodies are opened and sealed again, and
the audit's chain is linked row by row by the store's own function. What a copy lacks: the first version of each Patient (signing adds the
doctor to it, here it is there at once), and the PDFs are those of the first city.
"""

import hashlib
import re
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, text

from healthsvc.demo.people import people
from healthsvc.fhir.json import dumps, loads
from healthsvc.healthfile.resources import to_patient
from healthsvc.installation import Installation
from healthsvc.store import Actor, Store
from healthsvc.store.audit import Act, append
from healthsvc.store.stored import bare_of

_RANDOM = rb"\b([0-9a-f]{8})(-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
_NAMED = re.compile(rb"\b(p)(\d{8})\b|\b(doctor|nurse|community)-(\d+)\b|" + _RANDOM)
_STRIDE = 0x01000193
"""Any odd number: the first eight digits of a random id, moved by a multiple of it, are those of no other copy."""
OWN = ("Organization", "Practitioner", "Patient")
"""What is put, not copied."""
PORTION = 250
CACHE_KB = 1_000_000


def moved(copy: int, people_each: int, communities_each: int, said: bytes) -> bytes:
    """A text of the first city as it stands in another."""

    def other(found: "re.Match[bytes]") -> bytes:
        letter, person, role, place, random, rest = found.groups()
        if letter is not None:
            return b"p%08d" % (int(person) + copy * people_each)
        if role is not None:
            return b"%s-%d" % (role, int(place) + copy * communities_each)
        return b"%08x%s" % ((int(random, 16) + copy * _STRIDE) & 0xFFFFFFFF, rest)

    return _NAMED.sub(other, said)


class Multiplied:
    """One embedded installation that holds the first city, and grows by copies of it."""

    def __init__(self, here: Installation, actor: Actor, people_each: int, a_community: int, at: datetime) -> None:
        self.here, self.actor, self.at = here, actor, at
        self.people_each, self.a_community = people_each, a_community
        with here.database.engine.connect() as connection:
            self.types: dict[int, str] = {one.id: one.text for one in connection.execute(text("SELECT id, text FROM term"))}
            own = [id for id, said in self.types.items() if said in OWN]
            self.first = int(connection.execute(text("SELECT max(pk) FROM resource")).scalar_one())
            self.heads = (
                "SELECT pk, type, id, version, updated, body FROM resource WHERE pk <= :first AND deleted = 0 "
                f"AND type NOT IN ({', '.join(map(str, own))}) ORDER BY pk"
            )
            self.claims = connection.execute(text("SELECT key, holder FROM claim WHERE key NOT LIKE 'identifier:%'")).all()
            acts = connection.execute(text(f"SELECT {', '.join(Act._fields)} FROM audit ORDER BY seq")).all()
        self.acts = [Act(*one) for one in acts if (one.subject or "").partition("/")[0] not in OWN]

    def to(self, copies: int) -> None:
        """Copy the first city so often that there are ``copies`` of it."""
        persons = people(copies * self.people_each, 7, self.at.date())
        for copy in range(1, copies):
            begun = perf_counter()
            self._people(copy, persons)
            middle = perf_counter()
            with self.here.database.plainly() as connection:
                self._rows(connection, copy)
            sys.stdout.write(f"copy {copy}: people {middle - begun:.0f} s, rows {perf_counter() - middle:.0f} s\n")
            sys.stdout.flush()

    def _people(self, copy: int, persons: list[Any]) -> None:
        first = copy * self.people_each
        for start in range(first, first + self.people_each, PORTION):
            with self.here.database.writing(self.actor, at=self.at) as store:
                for number in range(start, min(start + PORTION, first + self.people_each)):
                    self._person(store, number, persons[number])

    def _person(self, store: Store, number: int, person: Any) -> None:
        team = number // self.a_community
        home = {"managingOrganization": {"reference": f"Organization/community-{team}"}}
        doctor = {"generalPractitioner": [{"reference": f"Practitioner/doctor-{team}"}]}
        store.put({**to_patient(person, f"p{number:08d}"), **home, **doctor})

    def _rows(self, connection: Connection, copy: int) -> None:
        move = partial(moved, copy, self.people_each, self.people_each // self.a_community)

        def word(said: str) -> str:
            return move(said.encode()).decode()

        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        driver.create_function("moved", 1, word, deterministic=True)
        pairs = list(self._resources(connection, move, word))
        driver.execute("CREATE TEMP TABLE IF NOT EXISTS copied (pk INTEGER PRIMARY KEY, new INTEGER)")
        driver.execute("DELETE FROM copied")
        driver.executemany("INSERT INTO copied VALUES (?, ?)", pairs)
        for kind, columns in {
            "token": "param, code, system",
            "string": "param, folded, exact",
            "reference": "param, moved(target), target_type",
            "date": "param, low, high",
            "quantity": "param, low, high, system, code, middle",
            "uri": "param, moved(uri)",
        }.items():
            plain = columns.replace("moved(", "").replace(")", "")
            driver.execute(f"INSERT INTO ix_{kind} ({plain}, pk) SELECT {columns}, new FROM copied JOIN ix_{kind} USING (pk)")
        driver.executemany("INSERT INTO claim (key, holder) VALUES (?, ?)", [(word(key), word(holder)) for key, holder in self.claims])
        append(connection, [one._replace(subject=_of(word, one.subject), patient=_of(word, one.patient)) for one in self.acts])

    def _resources(self, connection: Connection, move: Callable[[bytes], bytes], word: Callable[[str], str]) -> Any:
        """Write the resources again; gives each old and new pk."""
        driver: Any = connection.connection.driver_connection
        sealer = self.here.database.sealer
        new = int(driver.execute("SELECT max(pk) FROM resource").fetchone()[0])
        rows = []
        for pk, type, id, version, updated, body in connection.execute(text(self.heads), {"first": self.first}):
            new += 1
            name, other = self.types[type], word(id)
            said = move(sealer.open_body(name, id, version, body))
            digest = hashlib.blake2b(dumps(bare_of(loads(said)), sort_keys=True), digest_size=16).digest()
            rows.append((new, type, other, version, 0, updated, digest, sealer.close_body(name, other, version, said)))
            yield pk, new
        into = "INSERT INTO resource (pk, type, id, version, deleted, updated, hash, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        driver.executemany(into, rows)


def _of(word: Callable[[str], str], said: str | None) -> str | None:
    return None if said is None else word(said)
