"""封存文书 frozen documents as pages list them, each checked just now."""

from dataclasses import dataclass

from healthsvc.documents import frozen_of, verify
from healthsvc.store import Store


@dataclass(frozen=True, slots=True)
class Sealed:
    """One frozen document. ``intact``: its bytes are those that were sealed, and the seal is of a key of ours."""

    id: str
    title: str
    date: str
    current: bool
    sha256: str
    intact: bool


def sealed_about(store: Store, about: str) -> list[Sealed]:
    """The frozen documents about something (``Contract/x``), newest first."""
    found = []
    for one in frozen_of(store, about):
        verdict = verify(store, one["id"])
        title = str(one["content"][0]["attachment"]["title"])
        found.append(Sealed(str(one["id"]), title, str(one["date"]), one["status"] == "current", verdict.sha256, verdict.intact))
    return found
