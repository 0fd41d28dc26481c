"""The link profiles of a running service: changed files are read again, checked as a whole, put in force together, and noted in the audit.

Each process looks at the folder by itself. What is wrong in one file keeps all the old ones in force and is told until it is mended. A file
that was changed takes effect once its version is another one: so nobody's half-finished work does, and the page, the log and the
audit can say which edition was in force when.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Final

import structlog

from healthsvc import clock
from healthsvc.access.configured import LONGEST, hold_anew
from healthsvc.errors import Invalid
from healthsvc.store import SYSTEM, Database, Store
from integrations.herald.herald import listeners
from integrations.hospitals.profile import DEFAULT, Profile
from integrations.hospitals.reader import read
from integrations.hospitals.shelf import Shelf, load
from integrations.hospitals.shelf import shelf as read_shelf
from integrations.leading import Rounds
from integrations.mllp.tls import client_context
from integrations.operating.open_lines import listening

log = structlog.get_logger()
ACTION: Final = "link-change"
LOOK_SECONDS: Final = 2.0
"""A change is seen at one look, and taken at the next if nobody has gone on writing meanwhile."""
_HELD: Final = "link profiles in force"
Print = tuple[tuple[str, int, int, int], ...] | None


class Profiles:
    """The site's profiles as one process has them; ``shelf`` is what everything in it reads messages by."""

    def __init__(self, database: Database, folder: Path) -> None:
        """Read them for the first time.

        Raises:
            Invalid: a file is wrong.
        """
        self.trouble = ""
        """Why what lies in the folder is not in force; it names files and settings, never a person."""
        self._database, self._folder = database, folder
        self._taken = self._seen = _print_of(folder)
        self.shelf = read_shelf(folder)
        self._following: list[Callable[[], None]] = []
        self._rounds = Rounds("link-profiles", self.look, LOOK_SECONDS)

    def tell(self, follow: Callable[[], None]) -> None:
        """Call this when other profiles hold: for whoever has begun something by the old ones."""
        self._following.append(follow)

    def start(self) -> None:
        """Note what this process begins with, and follow the files; returns at once."""
        note(self._database, self.shelf, clock.now())
        self._rounds.start()

    def stop(self) -> None:
        """Look no more."""
        self._rounds.stop()

    def files(self) -> dict[str, int] | None:
        """Versions of what lies in the folder, by name, where the folder is not as it was put in force; None: it is.

        A file that cannot be read is left out: :attr:`trouble` names it.
        """
        if _print_of(self._folder) == self._taken:
            return None
        return {one.name: one.version for one in readable(self._folder).site}

    def look(self) -> None:
        """One look at the folder."""
        now = _print_of(self._folder)
        if now == self._taken:
            self.trouble = ""  # what was wrong has been put back
            return
        if now != self._seen:
            self._seen = now
            return
        try:
            with self._database.reading(SYSTEM, at=clock.utc_now()) as store:
                found = checked(store, self._folder)
        except Invalid as refusal:
            if refusal.text != self.trouble:
                log.error("changed link profiles are not put in force; the old ones hold", reason=refusal.text)
            self.trouble = refusal.text
            return
        if _print_of(self._folder) != now:
            return
        self.shelf.put_in_force(found)
        self._taken, self.trouble = now, ""
        note(self._database, found, clock.now())
        for follow in self._following:
            follow()


def checked(store: Store, folder: Path) -> Shelf:
    """What lies in the folder, if all of it may be put in force.

    Raises:
        Invalid: it may not; the text says which file, why, and how to mend it.
    """
    held = _read(store.holder(_HELD))
    if held and not folder.is_dir():
        raise Invalid(f"the folder {folder.name}/ of the link profiles is gone; put it back, or restart the service without it")
    found = read_shelf(folder)
    for name, edition in _told(found).items():
        version = edition.partition(":")[0]
        if held.get(name, edition) != edition and held[name].startswith(f"{version}:"):
            raise Invalid(f"link profile {name!r} was changed and still says version = {version}; raise it with every change")
    for listener in listeners(found):
        client_context(listener.destination)
    for line in listening(store):
        found.check_listening(line.listen)
    return found


def readable(folder: Path) -> Shelf:
    """The profiles of which each by itself can be read: for figures of the lines while a file is wrong."""
    profiles: dict[str, Profile] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            profile = read(path)
        except Invalid:
            continue  # `checked` says what is wrong with it
        profiles.setdefault(profile.name, profile)
    default = profiles.pop(DEFAULT, None)
    return Shelf(profiles.values(), default or load(DEFAULT))


def note(database: Database, shelf: Shelf, at: datetime) -> bool:
    """Note in the audit that other link profiles hold than before, with old and new versions; False: nothing has changed.

    A site that has never had a profile of its own has nothing to note.
    """
    now = _told(shelf)
    told = "\n".join(f"{name}={edition}" for name, edition in sorted(now.items()))

    def say(store: Store, before: str | None) -> None:
        changes = ", ".join(_changes(_read(before), now))
        store.audit(ACTION, "links", purpose=changes[:LONGEST])
        log.info("link profiles in force", changes=changes)

    return hold_anew(database, _HELD, told, at, say, begin=bool(now))


def in_force(store: Store) -> dict[str, int]:
    """Versions of the site's own profiles that a serving process has put in force last, by name; empty where none ever had any."""
    return {name: int(edition.partition(":")[0]) for name, edition in _read(store.holder(_HELD)).items()}


def _told(shelf: Shelf) -> dict[str, str]:
    """The site's own profiles: their versions, and by what their content is known."""
    own: Iterable[Profile] = shelf.site if shelf.default == load(DEFAULT) else shelf.all
    return {one.name: f"{one.version}:{_digest(one)}" for one in own}


def _read(told: str | None) -> dict[str, str]:
    return {name: edition for name, _, edition in (one.rpartition("=") for one in (told or "").split("\n") if one)}


def _changes(before: dict[str, str], now: dict[str, str]) -> Sequence[str]:
    """``renmin 3 to 4``, ``lis new 1``, ``empi 2 gone``."""
    said = []
    for name in sorted({*before, *now}):
        old, new = (edition.get(name, "").partition(":")[0] for edition in (before, now))
        if before.get(name) != now.get(name):
            said.append(f"{name} new {new}" if not old else f"{name} {old} gone" if not new else f"{name} {old} to {new}")
    return said


def _digest(profile: Profile) -> str:
    """The same in every process: what has no order of its own is sorted."""
    return blake2b(json.dumps(asdict(profile), sort_keys=True, default=sorted).encode(), digest_size=6).hexdigest()


def _print_of(folder: Path) -> Print:
    """By what a changed folder is known; None where there is none."""
    if not folder.is_dir():
        return None
    try:
        files = [(path.name, path.stat()) for path in sorted(folder.glob("*.toml"))]
    except FileNotFoundError:  # one went at this moment; the next look sees the rest
        return ()
    return tuple((name, about.st_mtime_ns, about.st_size, about.st_ino) for name, about in files)
