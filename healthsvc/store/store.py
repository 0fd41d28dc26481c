"""One transaction's view of the store: read, write, search, claim."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from healthsvc.clock import zone
from healthsvc.errors import Conflict, Forbidden, Gone, Invalid, NotFound, PreconditionFailed, Unavailable
from healthsvc.fhir.json import Resource
from healthsvc.policy import Policy
from healthsvc.store import claims, writes
from healthsvc.store.audit import Act
from healthsvc.store.dated import Dated
from healthsvc.store.keeping import keep
from healthsvc.store.looked import NOBODY_LOOKS, Looked
from healthsvc.store.outbox import put as put_outbox
from healthsvc.store.room import Actor, Deference
from healthsvc.store.seen import UNSEEN, Seen, Sight
from healthsvc.store.stored import Stored, bare_of, canonical, digest_of, new_id
from healthsvc.store.terms import OpenTerms

if TYPE_CHECKING:
    from healthsvc.store.engine import Database
    from healthsvc.store.search import Page
    from healthsvc.store.search.ast import Restrict
    from healthsvc.store.tenancy.within import Parts, Reach


class Store(Dated):
    """What a service works with; open it with :meth:`Database.reading` or :meth:`Database.writing`. Services never commit."""

    def __init__(self, database: "Database", connection: Connection, actor: Actor, at: datetime, *, writable: bool) -> None:
        super().__init__(at, zone(database.zone))
        self.database = database
        self.connection, self.actor, self.writable = connection, actor, writable
        self.policy: Policy = database.policy
        self.sealer = database.sealer
        self.terms = OpenTerms(database.terms, connection)
        self.acts: list[Act] = []
        self.rings: set[str] = set()  # for what the bell is rung once this transaction is committed
        self._sight, self.seen = Sight(), Seen(alone=writable and connection.dialect.name == "sqlite")
        self.looked: Looked = NOBODY_LOOKS  # the door sets one that notes whose records are read
        self.restrict: Restrict | None = None
        """What the actor may see of a type (the door sets it; None: all); what goes through here passes it, but for :meth:`wholly`."""
        self.reach: Reach | None = None  # the door says by what they see it, where that narrows the partitions that are asked
        self.parts: Parts | None = None
        self.defers: Deference | None = None  # an older word gives way to what is there (the hospital line sets it)
        self.is_undoing = False  # a step taken by mistake is put back: a life may run backwards; what only one may hold still holds

    # -- reading --------------------------------------------------------------------------------------------------------------

    def get(self, type: str, id: str) -> Stored | None:
        """The current version as stored, a deletion too; None where there never was one."""
        found = self._current(type, id)
        return found[0] if found and self.sees(found[0]) else None

    def opened(self, type: str, id: str, version: int, kept: bytes) -> bytes:
        """The body of a version as it was written, from what its table keeps."""
        return self.sealer.open_body(type, id, version, kept)

    def sees(self, stored: Stored) -> bool:
        """Whether the actor may see what is stored."""
        asks_anew = self.restrict is None or not self.writable or self.actor.scopes is not None
        return self._sees_now(stored) if asks_anew else self._sight.covers(self.patients_of(stored), lambda: self._sees_now(stored))

    def _sees_now(self, stored: Stored) -> bool:
        if self.restrict is None:
            return True
        from healthsvc.store.search import may_see

        return may_see(self, stored, self.restrict)

    @contextmanager
    def wholly(self) -> Iterator[None]:
        """Inside, the store is whole: for rules that must not miss what the actor may not see (who holds a bed, how many have signed)."""
        held = self.restrict, self.looked
        self.restrict, self.looked = None, NOBODY_LOOKS
        try:
            yield
        finally:
            self.restrict, self.looked = held

    def read(self, type: str, id: str) -> Resource:
        """The current version.

        Raises:
            NotFound, Gone: it never was, or has been deleted.
        """
        stored = self.get(type, id)
        if stored is None:
            raise NotFound(f"there is no such {type}")
        if stored.deleted:
            raise Gone(f"this {type} has been deleted")
        return self.looked.saw(stored.resource)

    def find(self, type: str, id: str) -> Resource | None:
        """The current version, or None where there is none (any more)."""
        stored = self.get(type, id)
        return None if stored is None or stored.deleted else self.looked.saw(stored.resource)

    def version(self, type: str, id: str, version: int) -> Stored | None:
        """One version, current or former."""
        current = self.get(type, id)
        if current is None or current.version == version:
            return current
        return next((v for v in self.history(type, id) if v.version == version), None)

    def history(self, type: str, id: str) -> list[Stored]:
        """All versions, newest first; empty where there never was one."""
        current = self.get(type, id)
        if current is None:
            return []
        table = writes.HISTORY
        known = table.c.pk == current.pk, *writes.in_part(table, current.part)
        rows = self.connection.execute(select(table).where(*known).order_by(table.c.version.desc()))
        return [current, *(Stored(r.pk, type, id, r.version, r.updated, r.deleted, self.opened(type, id, r.version, r.body)) for r in rows)]

    def patients_of(self, stored: Stored) -> list[str]:
        """Ids of the Patients in whose compartment a stored resource is (a Patient is in its own)."""
        param = self.terms.find(f"{stored.type}.{writes.COMPARTMENT}")
        table = writes.INDEXES["reference"]
        known = [table.c.pk == stored.pk, table.c.param == param, *writes.in_part(table, stored.part)]
        return list(self.connection.execute(select(table.c.target).where(*known)).scalars())

    def search(self, type: str, query: str | Sequence[tuple[str, str]]) -> "Page":
        """Search as a FHIR client does; ``query`` is a query string or its pairs."""
        from healthsvc.store.search import search

        return search(self, type, query, restrict=self.restrict)

    def select(self, type: str, /, **params: Any) -> list[Resource]:
        """All matches, for the rooms: ``select("Task", patient=id, status=["requested", "accepted"])``; ``a_b`` means ``a-b``."""
        from healthsvc.store.search import select_all

        return self.looked.all(select_all(self, type, params, self.restrict))

    def first(self, type: str, /, **params: Any) -> Resource | None:
        """The first match, or None."""
        return next(iter(self.select(type, **params)), None)

    # -- writing --------------------------------------------------------------------------------------------------------------

    def create(self, resource: Resource) -> Resource:
        """Write a new resource under a new id (an id in the body is ignored, as FHIR's create asks)."""
        return self.put({**resource, "id": new_id(self.at)})

    def once(self, resource: Resource) -> Resource:
        """Write a resource under its own id unless that id has ever been written; gives what is there, unchanged."""
        return self.find(resource["resourceType"], resource["id"]) or self.put(resource)

    def put(self, resource: Resource, if_match: int | None = None) -> Resource:
        """Create or update a resource under its own id; the same content again makes no new version. Gives what is now stored."""
        return self.write(resource, if_match).resource

    def write(self, resource: Resource, if_match: int | None = None) -> Stored:
        """As :meth:`put`, giving the stored version.

        Raises:
            Invalid: not valid FHIR, or a type that R4 does not have.
            PreconditionFailed: ``if_match`` is not the current version.
            Refusal: whatever the rooms object.
        """
        self._must_be_writable()
        type, id = resource.get("resourceType"), resource.get("id")
        if not isinstance(type, str) or not self.database.language.is_type(type):
            raise Invalid(f"{type!r} is not a FHIR R4 resource type", path="resourceType")
        if not isinstance(id, str):
            raise Invalid("the resource has no id to be stored under", path=f"{type}.id")
        current = self._current(type, id, to_change=True)
        old, old_digest = current or (None, None)
        bare = bare_of(resource if self.defers is None or old is None or old.deleted else self.defers.over(old, resource))
        digest = digest_of(canonical(bare))
        self._must_be_seen(old)
        self._check_version(old, if_match)
        if old is not None and not old.deleted and old_digest == digest:
            return old
        self.database.check(bare)
        self._admit(type, None if old is None or old.deleted else old.resource, bare)
        if current is not None:  # what a room wrote while admitting may have touched this very resource
            old, old_digest = self._current(type, id) or current
        stored, patients = keep(self, type, id, bare, digest, old, old_digest)
        self._note("create" if stored.version == 1 else "update", f"{type}/{id}", stored.version, patients)
        self.seen.keep(stored, digest)
        self._must_be_seen(stored, moved=type == "Patient")
        return stored

    def delete(self, type: str, id: str, if_match: int | None = None) -> Stored | None:
        """Delete: reading it says Gone from now on, its history stays. Deleting what is not there changes nothing."""
        self._must_be_writable()
        old, _ = self._current(type, id, to_change=True) or (None, b"")
        self._must_be_seen(old)
        self._check_version(old, if_match)
        if old is None or old.deleted:
            return old
        patients = self.patients_of(old)
        self._admit(type, old.resource, None)
        writes.replace_current(self.connection, old, updated=self.at_micros, hash=b"", body=b"", deleted=True)
        writes.clear_index(self.connection, old.pk, old.part or 0)
        self._note("delete", f"{type}/{id}", old.version + 1, patients)
        self.seen.keep(gone := Stored(old.pk, type, id, old.version + 1, self.at_micros, True, b"", old.part), b"")
        return gone

    def claim(self, key: str, holder: str) -> None:
        """Take something that only one may hold at a time; taking it again for the same holder changes nothing.

        Raises:
            Conflict: somebody else holds it.
        """
        self._must_be_writable()
        claims.take(self.connection, self.sealer.claim(key), holder)
        if self.holder(key) != holder:
            raise Conflict(f"{key.partition(':')[0]} is already taken by another")

    def holder(self, key: str) -> str | None:
        """Who holds a claim."""
        return claims.holder(self.connection, self.sealer.claim(key))

    def release(self, key: str, holder: str | None = None) -> None:
        """Give a claim back (only if ``holder`` has it, where one is named)."""
        self._must_be_writable()
        claims.release(self.connection, self.sealer.claim(key), holder)

    def outbox(self, kind: str, key: str, payload: dict[str, Any]) -> None:
        """Leave work for an outside system; it becomes due when this transaction commits."""
        self._must_be_writable()
        put_outbox(self.connection, self.sealer, kind, key, payload, self.at_micros)
        self.rings.add("outbox")

    def audit(
        self, action: str, subject: str | None, *, patient: str | None = None, outcome: str = "success", purpose: str | None = None
    ) -> None:
        """Note an act that is not a write (a read, a search by parameter names, a print). Writes note themselves."""
        self.acts.append(Act(self.at_micros, self.actor.id, self.actor.door, action, subject, None, patient, outcome, purpose))

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that can fail by itself: what it wrote is undone, the rest of the transaction goes on."""
        terms, acts = self.terms.mark(), len(self.acts)
        try:
            with writes.savepoint(self.connection):
                yield
        except BaseException:
            self.terms.reset(terms)
            self.seen.clear()
            del self.acts[acts:]
            raise

    def forget(self) -> None:
        """What this transaction has read is read anew: rows have moved."""
        self.seen.clear()

    @contextmanager
    def undoing(self) -> Iterator[None]:
        """Former versions are written back: the rooms neither ask for a legal next step nor let follow what follows a new one."""
        was, self.is_undoing = self.is_undoing, True
        try:
            yield
        finally:
            self.is_undoing = was

    # -- inside ---------------------------------------------------------------------------------------------------------------

    def _current(self, type: str, id: str, *, to_change: bool = False) -> tuple[Stored, bytes] | None:
        """The current version and its content hash; ``to_change``: nobody else may change it until this transaction ends."""
        known = self.seen.get(type, id)
        if known is not UNSEEN:
            return known
        term = self.terms.find(type)
        found = None if term is None else writes.read_current(self, term, type, id, to_change=to_change)
        return self.seen.learn(type, id, found, held=to_change)

    def _must_be_writable(self) -> None:
        if not self.writable:
            raise Unavailable("this transaction only reads")

    @staticmethod
    def _check_version(old: Stored | None, if_match: int | None) -> None:
        if if_match is not None and (old is None or old.version != if_match):
            there = "nothing is there" if old is None else f"the current version is {old.version}"
            raise PreconditionFailed(f"If-Match asks for version {if_match}, but {there}; read it again and repeat the change")

    def _must_be_seen(self, stored: Stored | None, *, moved: bool = False) -> None:
        """Nobody changes what they may not see, or moves a record out of or into it (``moved``: a file may have gone to another area)."""
        if stored is not None and not stored.deleted and not (self._sees_now if moved else self.sees)(stored):
            raise Forbidden("this record belongs to somebody whom you do not look after", reason="compartment")

    def _admit(self, type: str, old: Resource | None, new: Resource | None) -> None:
        if rooms := self.database.rooms_of(type):
            with self.wholly():
                for room in rooms:
                    room.admit(old, new, self)

    def _note(self, action: str, subject: str, version: int, patients: Sequence[str]) -> None:
        patient = patients[0] if patients else None
        self.acts.append(Act(self.at_micros, self.actor.id, self.actor.door, action, subject, version, patient, "success", None))
