"""What the pages ask of the hospital side, which they may not import: the lines, the messages, and what may be done about them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from fastapi import Request

from healthsvc.errors import Unavailable
from healthsvc.store import Actor, Database, Store


class Standing(Protocol):
    """One link with its figures."""

    @property
    def name(self) -> str:
        """Name of the link profile."""

    @property
    def limit(self) -> timedelta:
        """After how long it counts as silent."""


class Desk(Protocol):
    """The operator's desk (``app.state.desk``)."""

    def trouble(self) -> str:
        """Why the link profiles that lie in the site's folder are not in force; empty where they are."""

    def not_in_force(self) -> Mapping[str, tuple[int, int]]:
        """Link profiles whose file has another version than the one in force, by name: in force (0: none), and of the file (0: gone,
        or it cannot be read)."""

    def standings(self, store: Store) -> Sequence[Standing]:
        """How each line stands."""

    def visit_ends(self, store: Store) -> object:
        """How the outpatient visits of each hospital ended of late: by its word, or by rule."""

    def listening(self, store: Store) -> Sequence[object]:
        """The open lines of every process that listens."""

    def letters(self, store: Store, most: int, link: str = "", state: str = "", number: str = "") -> Sequence[object]:
        """Messages that need somebody, are in a state, or carry a control id."""

    def view(self, store: Store, id: int) -> object:
        """One message, masked."""

    def again(self, store: Store, id: int, *, overrule: bool = False) -> None:
        """Try it again; ``overrule``: also against what was corrected here since it came."""

    def close(self, store: Store, id: int, reason: str) -> None:
        """Leave it at that."""

    def edit(self, store: Store, id: int, changes: Sequence[tuple[str, str]], reason: str) -> int:
        """Change values by position and take the edited one in; gives its number."""

    def to_replay(self, store: Store, link: str, since: datetime, until: datetime, patient: str = "") -> Any:
        """Which messages a replay is about."""

    def corrections(self, store: Store, ids: Sequence[int]) -> Sequence[object]:
        """What somebody here has corrected by hand since these messages came."""

    def replay(self, database: Database, actor: Actor, about: Any, *, overrule: bool = False) -> tuple[int, Sequence[int]]:
        """Let these have their effect anew, in transactions of its own; gives how many, and the merges that were left out since somebody
        has taken them back. ``overrule``: also against those corrections."""

    def unmerge(self, store: Store, id: int, by: str, reason: str) -> Sequence[str]:
        """Take back what a merge message has joined."""

    def numbers(self, store: Store, id: int) -> Sequence[tuple[str, str]]:
        """By which numbers a message names its person (position, masked); empty where it cannot be moved to somebody else."""

    def is_misfiled(self, store: Store, id: int) -> bool:
        """Whether it has put several persons' results into one file."""

    def move(self, store: Store, id: int, changes: Sequence[tuple[str, str]], reason: str) -> tuple[int, int]:
        """Withdraw what it wrote and take it in for the right person; gives how many were withdrawn, and its new number."""

    def part(self, store: Store, id: int, reason: str) -> int:
        """Withdraw what it wrote into one file, and give each person their own part; gives how many were withdrawn."""

    def stuck(self, store: Store, most: int, link: str = "") -> Sequence[object]:
        """Outgoing messages that need somebody."""

    def sent(self, store: Store, id: int) -> object:
        """One outgoing message, masked."""

    def send_again(self, store: Store, id: int) -> None:
        """Send it once more."""

    def send_now(self, store: Store, link: str) -> int:
        """Try everything at once that waits for a hospital; gives how many wait."""

    def send_never(self, store: Store, id: int, reason: str) -> None:
        """Never send it."""


def desk_of(request: Request) -> Desk:
    """The desk of this process.

    Raises:
        Unavailable: the application was started without the hospital side.
    """
    desk: Desk | None = getattr(request.app.state, "desk", None)
    if desk is None:
        raise Unavailable("the hospital side does not run in this process; start it with healthsvc serve", reason="no-hospital-side")
    return desk
