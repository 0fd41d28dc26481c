"""A database is opened: its keys must be there; one that was never sealed gets its keys, and its look-up tables get their hashes.

Bodies and messages that are not sealed yet can be read all the same and are sealed in the background (:mod:`.reseal`). Look-ups cannot
wait for that: they would miss what is kept in the other form. So claims and index entries are turned over before the database is used,
in steps that go on where a killed process has stopped.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import Connection, delete, select, text, update

from healthsvc import clock
from healthsvc.errors import KeysLost
from healthsvc.store.sealing.facts import INDEX, LOOKUP, facts, held, key_fact, put
from healthsvc.store.sealing.keys import REMEDY, Seal, fingerprint, lookup_key
from healthsvc.store.sealing.reseal import COMPACT, DUE
from healthsvc.store.sealing.sealer import TAIL, Sealer, is_hidden
from healthsvc.store.tables import NO_TERM, ClaimRow, ResourceRow, TokenIndex

if TYPE_CHECKING:
    from healthsvc.store.engine import Database

log = structlog.get_logger()
PORTION: Final = 1000
"""Resources whose index entries are turned over in one transaction."""
_DONE: Final = "done"
_RESOURCE = ResourceRow.__table__  # type: ignore[attr-defined]
_TOKEN = TokenIndex.__table__  # type: ignore[attr-defined]
_CLAIM = ClaimRow.__table__  # type: ignore[attr-defined]
_INSERT_TOKEN = text(
    "INSERT INTO ix_token (param, system, code, pk, part) VALUES (:param, :system, :code, :pk, :part) ON CONFLICT DO NOTHING"
)


def prepare(database: "Database", folder: Path | None, *, everything: bool = False) -> None:
    """Give a database its sealer.

    Raises:
        KeysLost: its keys are not in the folder, or no folder was named for a database that has keys.
    """
    with database.engine.connect() as connection:
        known = facts(connection)
    if folder is None:
        if LOOKUP in known:
            raise KeysLost("this database is sealed: name the folder of its keys in HEALTHSVC_SEALING_KEYS")
        return
    if LOOKUP not in known:
        known = _begin(database, folder)
    key = lookup_key(folder, make=False)
    if fingerprint(key) != known[LOOKUP]:
        raise KeysLost(f"the look-up key in the folder of sealing keys belongs to another database; {REMEDY}")
    sealer = Sealer(folder, key, everything=everything)
    lost = sorted(kid for kid in held(known) if bytes.fromhex(kid) not in sealer.kids)
    if lost:
        raise KeysLost(f"sealing key {', '.join(lost)} is lost, and what is sealed with it cannot be read; {REMEDY}")
    if key_fact(sealer.kid.hex()) not in known:
        with database.plainly() as connection:
            put(connection, key_fact(sealer.kid.hex()), clock.utc_now().isoformat(timespec="seconds"))
    if known.get(INDEX) != _DONE:
        _turn_over(database, sealer)
    database.sealer = sealer


def _begin(database: "Database", folder: Path) -> dict[str, str]:
    """Make the keys of a database that has none yet, and hash its claims in the same transaction."""
    key = lookup_key(folder, make=True)
    Seal.of(folder)
    sealer = Sealer(folder, key)
    with database.plainly() as connection:
        put(connection, LOOKUP, fingerprint(key), only_new=True)
        known = facts(connection)
        if known[LOOKUP] == fingerprint(key):
            is_new = connection.execute(select(_RESOURCE.c.pk).limit(1)).first() is None
            put(connection, INDEX, _DONE if is_new else "0", only_new=True)
            put(connection, COMPACT, _DONE if is_new else DUE, only_new=True)
            for (old,) in connection.execute(select(_CLAIM.c.key)).all():
                if (kept := sealer.claim(old)) != old:
                    connection.execute(update(_CLAIM).where(_CLAIM.c.key == old).values(key=kept))
        return facts(connection)


def _turn_over(database: "Database", sealer: Sealer) -> None:
    log.info("numbers in the search index are being hashed")
    while not _portion(database, sealer):
        pass
    log.info("numbers in the search index are hashed")


def _portion(database: "Database", sealer: Sealer) -> bool:
    """Turn the entries of some resources over; True when none is left."""
    with database.plainly() as connection:
        place = facts(connection, INDEX)[INDEX]
        if place == _DONE:
            return True
        resources = select(_RESOURCE.c.pk).where(_RESOURCE.c.pk > int(place)).order_by(_RESOURCE.c.pk).limit(PORTION)
        pks = list(connection.execute(resources).scalars())
        if pks:
            _hash(connection, sealer, pks[0], pks[-1])
        put(connection, INDEX, str(pks[-1]) if len(pks) == PORTION else _DONE)
        return len(pks) < PORTION


def _hash(connection: Connection, sealer: Sealer, first: int, last: int) -> None:
    """The entries of the resources from one pk to another."""
    names: dict[int, str] = {row.id: row.text for row in connection.execute(text("SELECT id, text FROM term"))}
    ids = {name: id for id, name in names.items()}
    numbered = {ids.get("Patient.identifier"), ids.get("Patient.phone")}
    made: list[dict[str, Any]] = []
    for row in connection.execute(select(_TOKEN).where(_TOKEN.c.pk.between(first, last))).all():
        if row.param in numbered and not is_hidden(row.code):
            term = _tail_term(connection, ids)
            made += [{"param": term, "system": NO_TERM, "code": tail, "pk": row.pk, "part": row.part} for tail in sealer.tails(row.code)]
        code = sealer.code(names[row.param], names.get(row.system), row.code)
        if code == row.code:
            continue
        known = (_TOKEN.c.param == row.param, _TOKEN.c.code == row.code, _TOKEN.c.system == row.system, _TOKEN.c.pk == row.pk)
        connection.execute(delete(_TOKEN).where(*known))
        made.append({"param": row.param, "system": row.system, "code": code, "pk": row.pk, "part": row.part})
    if made:
        connection.execute(_INSERT_TOKEN, made)


def _tail_term(connection: Connection, ids: dict[str, int]) -> int:
    name = f"Patient.{TAIL}"
    if name not in ids:
        connection.execute(text("INSERT INTO term (text) VALUES (:text) ON CONFLICT (text) DO NOTHING"), {"text": name})
        ids[name] = int(connection.execute(text("SELECT id FROM term WHERE text = :text"), {"text": name}).scalar_one())
    return ids[name]
