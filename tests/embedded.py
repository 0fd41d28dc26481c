"""A throw-away embedded database for tests: a file with all tables and no row, copied instead of migrated each time."""

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy import create_engine

from healthsvc.config import DATABASE
from healthsvc.store.migrate import upgrade


@cache
def _template() -> Path:
    folder = Path(mkdtemp(prefix="healthsvc-embedded-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    engine = create_engine(f"sqlite:///{folder / DATABASE}")
    upgrade(engine)
    engine.dispose()
    return folder / DATABASE


def made(folder: Path) -> str:
    """A new database where an installation with that data folder looks for it; gives its URL. That one comes to be out of nothing is
    shown where migrations are tested, and by whatever starts a process on an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_template(), folder / DATABASE)
    return f"sqlite:///{folder / DATABASE}"
