"""People are found by more spellings of their names: family name with initials, both readings of a character"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from healthsvc.fhir.emit import name_parts
from healthsvc.fhir.own import PEOPLE, PINYIN
from healthsvc.fhir.pinyin import spellings

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TERM = sa.text("SELECT id FROM term WHERE text = :text")
_BODIES = sa.text("SELECT pk, body FROM resource WHERE type = :type AND NOT deleted AND pk > :after ORDER BY pk LIMIT 1000")
_ADD = sa.text("INSERT INTO ix_string (param, folded, exact, pk) VALUES (:param, :word, :word, :pk) ON CONFLICT DO NOTHING")


def upgrade() -> None:
    """Add to the index what is new; what stands there stays."""
    add(op.get_bind())


def add(connection: sa.Connection) -> None:
    """Add the spellings of everybody whose file can be read as it lies there (sealing begins after the migrations)."""
    for type in PEOPLE:
        kind = connection.execute(_TERM, {"text": type}).scalar()
        param = connection.execute(_TERM, {"text": f"{type}.{PINYIN}"}).scalar()
        if kind is None or param is None:
            continue
        after = 0
        while rows := connection.execute(_BODIES, {"type": kind, "after": after}).all():
            after = rows[-1].pk
            plain = [(row.pk, json.loads(row.body)) for row in rows if row.body[:1] == b"{"]
            words = [{"param": param, "word": word, "pk": pk} for pk, body in plain for word in sorted(_words(body))]
            if words:
                connection.execute(_ADD, words)


def _words(resource: dict[str, Any]) -> set[str]:
    names = resource.get("name")
    spelled: set[str] = set()
    for one in names if isinstance(names, list) else ():
        spelled |= set(spellings(one.get("text") or next(reversed(name_parts(one)), ""), one.get("family")))
    return spelled


def downgrade() -> None:
    """More words than before harm nobody."""
