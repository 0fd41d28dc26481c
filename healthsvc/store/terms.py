"""Interned strings: each text has one small integer in one database, for ever."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from healthsvc.store.driver import for_driver, run
from healthsvc.store.tables import Term

TERM = Term.__table__  # type: ignore[attr-defined]
_FIND = "SELECT id FROM term WHERE text = ?"
_FIND_ALL = "SELECT id, text FROM term WHERE text = ANY(%s)"
_TEXT = "SELECT text FROM term WHERE id = ?"
_INSERT = "INSERT INTO term (text) VALUES (?) ON CONFLICT (text) DO NOTHING"


class Terms:
    """All interned strings that committed transactions have made, shared by all threads of a process."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._texts: dict[int, str] = {}
        self._params: dict[str, dict[str, int]] = {}
        """Ids of ``Type.param`` by type and name: a write asks for dozens, and putting their texts together cost more than the look-up."""

    def get(self, wanted: str) -> int | None:
        """The id of a known text."""
        return self._ids.get(wanted)

    def text(self, term: int) -> str | None:
        """The text of a known id."""
        return self._texts.get(term)

    def params(self, type: str) -> dict[str, int]:
        """What :meth:`OpenTerms.param` remembers of a type."""
        return self._params.setdefault(type, {})

    def learn(self, terms: Iterable[tuple[str, int]]) -> None:
        """Remember committed terms."""
        for wanted, term in terms:
            self._ids[wanted] = term
            self._texts[term] = wanted

    def load(self, connection: Connection) -> None:
        """Read all terms from the database."""
        self.learn((row.text, row.id) for row in connection.execute(select(TERM.c.id, TERM.c.text)))


class OpenTerms:
    """The terms as one transaction sees them: the shared ones and those that it has made and not yet committed."""

    def __init__(self, shared: Terms, connection: Connection) -> None:
        self._shared = shared
        self._connection = connection
        self._made: dict[str, int] = {}
        self._absent: set[str] = set()
        """Looked for in this transaction and not there: what nobody has interned selects nothing, so it need not be asked again."""

    def find(self, wanted: str) -> int | None:
        """The id of a text, or None where it has never been interned."""
        known = self._made.get(wanted) or self._shared.get(wanted)
        if known is None and wanted not in self._absent:
            known = self._read(wanted)
            if known is not None:
                self._shared.learn([(wanted, known)])  # read from a snapshot, hence committed
            else:
                self._absent.add(wanted)
        return known

    def look_up(self, wanted: Iterable[str]) -> None:
        """Ask for many at once, so that :meth:`find` knows them: on a server each question is a way there and back."""
        unknown = [one for one in wanted if one not in self._made and self._shared.get(one) is None and one not in self._absent]
        if len(unknown) < 2 or self._connection.dialect.name == "sqlite":
            return
        self._shared.learn((row[1], row[0]) for row in run(self._connection, _FIND_ALL, (unknown,)).fetchall())
        self._absent.update(one for one in unknown if self._shared.get(one) is None)

    def intern(self, wanted: str) -> int:
        """The id of a text, made if need be."""
        known = self._shared.get(wanted) or self._made.get(wanted)
        if known is None:
            run(self._connection, for_driver(self._connection, _INSERT), (wanted,))
            known = self._read(wanted)
            assert known is not None
            self._made[wanted] = known
            self._absent.discard(wanted)
        return known

    def params(self, type: str) -> dict[str, int]:
        """Ids of a type's search parameters by name, as far as they have been asked for; the others give :meth:`param`."""
        return self._shared.params(type)

    def param(self, type: str, name: str) -> int:
        """The id of a search parameter, made if need be."""
        known = self.intern(f"{type}.{name}")
        if self._shared.get(f"{type}.{name}") is not None:  # committed, hence for ever
            self._shared.params(type)[name] = known
        return known

    def _read(self, wanted: str) -> int | None:
        row = run(self._connection, for_driver(self._connection, _FIND), (wanted,)).fetchone()
        return None if row is None else int(row[0])

    def text(self, term: int) -> str:
        """The text of an id that a row of this transaction carries."""
        known = self._shared.text(term) or next((made for made, id in self._made.items() if id == term), None)
        if known is None:  # another process has made it, and committed it: ours are all in the two above
            known = str(run(self._connection, for_driver(self._connection, _TEXT), (term,)).fetchone()[0])
            self._shared.learn([(known, term)])
        return known

    def mark(self) -> dict[str, int]:
        """The terms made so far, to come back to when a savepoint rolls back."""
        return dict(self._made)

    def reset(self, mark: dict[str, int]) -> None:
        """Forget what was made since a mark."""
        self._made = mark

    def commit(self) -> None:
        """Share what this transaction made; call after the commit."""
        self._shared.learn(self._made.items())
