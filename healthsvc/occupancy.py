"""Who has an embedded installation open: those who serve it share it, whoever carries it away has it alone."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from healthsvc.errors import Conflict

FILE: Final = "in-use.lock"


@contextmanager
def shared(data: Path) -> Iterator[None]:
    """Serve it, beside others who do.

    Raises:
        Conflict: it is being carried to another database.
    """
    with _locked(data, fcntl.LOCK_SH, "this installation is being moved to another database; wait until that has ended"):
        yield


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Have it alone.

    Raises:
        Conflict: somebody serves it, or carries it away already.
    """
    with _locked(data, fcntl.LOCK_EX, "this installation is being served; stop every healthsvc serve on this data directory first"):
        yield


@contextmanager
def _locked(data: Path, kind: int, refused: str) -> Iterator[None]:
    with (data / FILE).open("a") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(refused, reason="in-use") from None
        yield  # the lock ends with the file, also when the process is killed
