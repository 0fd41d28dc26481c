"""The operator's desk: everything that pages and commands may do about the lines, for the link profiles in force."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from healthsvc import clock
from healthsvc.store import Actor, Database, Store
from integrations.hospitals.shelf import Shelf
from integrations.operating import correcting, inbox_desk, misfiled, outbox_desk, refiling, replaying
from integrations.operating.ends import Ends, visit_ends
from integrations.operating.inbox_desk import Letter, MessageView
from integrations.operating.lines import LineStanding, standings
from integrations.operating.open_lines import Listening, listening
from integrations.operating.outbox_desk import SentView


class Desk:
    """Given to the application at its start, since pages may not import the hospital side."""

    def __init__(
        self, shelf: Shelf, trouble: Callable[[], str] = str, files: Callable[[], Mapping[str, int] | None] = lambda: None
    ) -> None:
        self.shelf = shelf
        self._trouble, self._files = trouble, files

    def trouble(self) -> str:
        """Why the link profiles that lie in the site's folder are not in force; empty where they are."""
        return self._trouble()

    def not_in_force(self) -> Mapping[str, tuple[int, int]]:
        """Link profiles whose file has another version than the one in force, by name: in force (0: none), and of the file (0: gone,
        or it cannot be read)."""
        files, held = self._files(), {one.name: one.version for one in self.shelf.site}
        versions = {name: (held.get(name, 0), files.get(name, 0)) for name in sorted({*held, *files})} if files is not None else {}
        return {name: (now, file) for name, (now, file) in versions.items() if now != file}

    def standings(self, store: Store) -> Sequence[LineStanding]:
        """How each line stands."""
        return standings(store, self.shelf)

    def visit_ends(self, store: Store) -> Ends:
        """How the outpatient visits of each hospital ended of late."""
        return visit_ends(store)

    def listening(self, store: Store) -> Sequence[Listening]:
        """The open lines, by the process that listens."""
        return listening(store)

    def letters(self, store: Store, most: int, link: str = "", state: str = "", number: str = "") -> Sequence[Letter]:
        """Messages that need somebody, are in a state, or carry a control id."""
        return inbox_desk.letters(store, most, link, state, number)

    def view(self, store: Store, id: int) -> MessageView:
        """One message, masked."""
        return inbox_desk.view(store, self.shelf, id)

    def again(self, store: Store, id: int, *, overrule: bool = False) -> None:
        """Try it again; ``overrule``: also against what was corrected here since it came."""
        inbox_desk.again(store, self.shelf, id, overrule=overrule)

    def close(self, store: Store, id: int, reason: str) -> None:
        """Leave it at that."""
        inbox_desk.close(store, id, reason)

    def edit(self, store: Store, id: int, changes: Sequence[tuple[str, str]], reason: str) -> int:
        """Change values by position and take the edited one in; gives its number."""
        return inbox_desk.edit(store, self.shelf, id, changes, reason)

    def to_replay(self, store: Store, link: str, since: datetime, until: datetime, patient: str = "") -> replaying.Chosen:
        """Which messages a replay is about; names the merges that were taken back since, which stay as they are."""
        return replaying.chosen(store, self.shelf, link=link, since=since, until=until, patient=patient)

    def corrections(self, store: Store, ids: Sequence[int]) -> Sequence[correcting.Corrected]:
        """What somebody here has corrected by hand since these messages came."""
        return correcting.corrections(store, self.shelf, ids)

    def replay(self, database: Database, actor: Actor, about: replaying.Chosen, *, overrule: bool = False) -> replaying.Replayed:
        """Let these messages have their effect anew, in transactions of its own; ``overrule``: also against those corrections."""
        return replaying.replay(database, actor, self.shelf, about, clock.now, overrule=overrule)

    def unmerge(self, store: Store, id: int, by: str, reason: str) -> Sequence[str]:
        """Take back what a merge message has joined."""
        return inbox_desk.unmerge(store, id, by, reason)

    def numbers(self, store: Store, id: int) -> Sequence[tuple[str, str]]:
        """By which numbers a message names its person, masked; empty where it cannot be moved."""
        return refiling.numbers(store, self.shelf, id)

    def is_misfiled(self, store: Store, id: int) -> bool:
        """Whether it has put several persons' results into one file."""
        return misfiled.is_misfiled(store, self.shelf, id)

    def move(self, store: Store, id: int, changes: Sequence[tuple[str, str]], reason: str) -> tuple[int, int]:
        """Withdraw what it wrote and take it in for the right person; gives how many were withdrawn, and its new number."""
        return refiling.refile(store, self.shelf, id, changes, reason)

    def part(self, store: Store, id: int, reason: str) -> int:
        """Withdraw what it wrote into one file, and give each person their own part; gives how many were withdrawn."""
        return misfiled.mend(store, self.shelf, id, reason)

    def stuck(self, store: Store, most: int, link: str = "") -> Sequence[SentView]:
        """Outgoing messages that were refused, withheld or given up."""
        return outbox_desk.stuck(store, most, link)

    def sent(self, store: Store, id: int) -> SentView:
        """One outgoing message, masked."""
        return outbox_desk.view(store, id)

    def send_again(self, store: Store, id: int) -> None:
        """Send it once more."""
        outbox_desk.again(store, id)

    def send_now(self, store: Store, link: str) -> int:
        """Try everything at once that waits for a hospital; gives how many wait."""
        return outbox_desk.send_now(store, link)

    def send_never(self, store: Store, id: int, reason: str) -> None:
        """Never send it."""
        outbox_desk.close(store, id, reason)
