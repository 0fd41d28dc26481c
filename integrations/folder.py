"""Messages from watched folders: whoever cannot speak MLLP leaves a file, and finds beside it one result for each message.

A line with ``[receive] folder`` in its profile is looked after: a file that has not grown since the last look is read piece by piece (so a
hundred thousand messages need no more memory than some hundred), every message is taken in like one from the line, and the file moves to
``done/`` with ``NAME.result.jsonl``. What kills us or bids us stop in between costs nothing, nor does a database that cannot write: nobody
would send the file again, so it stays until all of it is taken, and what was taken already gets its old answer. Names that begin with a
dot or end in ``.part`` or ``.tmp`` are still being written and are left alone.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import structlog

from healthsvc.errors import Refusal, Unavailable
from healthsvc.fhir.json import dumps
from integrations.hl7v2.batch import messages_of
from integrations.hospitals.profile import folder_listen
from integrations.hospitals.shelf import Shelf
from integrations.inbox import Inbox

log = structlog.get_logger()

TURN_SECONDS: Final = 2.0
CHUNK: Final = 1 << 20
_UNFINISHED: Final = (".part", ".tmp")


class Folders:
    """Watches the folders of all lines that have one, in a thread of its own."""

    def __init__(self, inbox: Inbox, shelf: Shelf, limit: int) -> None:
        self._inbox = inbox
        self._limit = limit
        self._shelf = shelf
        self._sizes: dict[Path, tuple[int, int]] = {}
        self._told: dict[Path, str] = {}
        """What was logged of a file or folder that cannot be taken now, so that it is not every two seconds."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="folders", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End between two messages; a file that is not taken in wholly stays."""
        self._stop.set()
        self._thread.join()

    def turn(self) -> int:
        """One look at every folder; gives how many files were taken in. One that cannot be read holds up none of the others."""
        taken = 0
        for link, folder in [(profile.name, Path(profile.folder)) for profile in self._shelf.site if profile.folder]:
            for path in self._lying(folder):
                try:
                    taken += self._is_whole(path) and not self._stop.is_set() and self._take(link, path)
                except (OSError, Refusal) as error:
                    self._tell(path, error)
                else:
                    self._told.pop(path, None)
        return taken

    def _lying(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder.iterdir()) if folder.is_dir() else []
        except OSError as error:
            self._tell(folder, error)
            return []

    def _tell(self, path: Path, error: OSError | Refusal) -> None:
        reason = error.text if isinstance(error, Refusal) else error.strerror or type(error).__name__
        if self._told.get(path) != reason:
            log.error("a file of messages cannot be taken in now; it stays and is tried again", file=path.name, reason=reason)
        self._told[path] = reason

    def _run(self) -> None:
        while not self._stop.wait(TURN_SECONDS):
            self.turn()

    def _is_whole(self, path: Path) -> bool:
        """Whether a file has stopped growing: the same size and time at two looks."""
        if path.name.startswith(".") or path.name.endswith(_UNFINISHED) or not path.is_file():
            return False
        about = path.stat()
        seen = (about.st_size, about.st_mtime_ns)
        if self._sizes.get(path) == seen:
            return True
        self._sizes[path] = seen
        return False

    def _take(self, link: str, path: Path) -> bool:
        """Take a file in; False where it is left because we stop.

        Raises:
            Unavailable: a message of it could not be stored. OSError: it cannot be read, or its results cannot be written.
        """
        done = path.parent / "done"
        done.mkdir(exist_ok=True)
        result = done / f"{path.name}.result.jsonl"
        partial = result.with_suffix(".part")
        count = 0
        with partial.open("wb") as out:
            for line in results(self._inbox, path, link, self._limit):
                if self._stop.is_set():
                    return False
                out.write(dumps(line) + b"\n")
                count += 1
        partial.replace(result)
        path.replace(done / path.name)
        self._sizes.pop(path, None)
        log.info("a file of messages was taken in", link=link, file=path.name, messages=count)
        return True


def results(inbox: Inbox, path: Path, link: str, limit: int) -> Iterator[dict[str, Any]]:
    """Take the messages of a file in, in order, and give one result for each; where the file cannot be read on, the last one says so.

    Raises:
        Unavailable: a message could not be stored.
    """
    index = 0
    try:
        with path.open("rb") as file:
            for index, arrival in enumerate(
                inbox.take_all(messages_of(iter(lambda: file.read(CHUNK), b""), limit), folder_listen(link), path.name), start=1
            ):
                if not arrival.stored:
                    raise Unavailable("the database cannot write now")
                said = {"reason": arrival.reason, "place": arrival.place, "remark": arrival.remark}
                yield {"index": index, "control_id": arrival.control_id, "code": arrival.code.value} | {k: v for k, v in said.items() if v}
    except Unavailable:
        raise
    except Refusal as refusal:
        yield {"index": index + 1, "code": "AR", "reason": refusal.reason or refusal.issue_code, "remark": refusal.text}
