"""Where the compiled search is kept between processes, and whether it is there. Loads no compiler."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

SOURCES = ("compiled", "table", "layout", "dice", "grid", "timing", "pricing", "links", "moves", "jobs", "kernel", "spots")
"""Modules with compiled code: what is kept on disk holds for exactly this text of all of them together.

numba by itself looks only at the file of the function that is called; a change in a file below it would go unnoticed.
"""


def fingerprint() -> str:
    """A name for the present text of all compiled modules."""
    digest = hashlib.blake2b(digest_size=8)
    for name in SOURCES:
        digest.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return digest.hexdigest()


def cold() -> bool:
    """Whether the search has to be compiled before its first use, as far as the disk tells."""
    folder = shelf(os.environ.get("NUMBA_CACHE_DIR", ""))
    return folder is None or not any(folder.rglob("*.nbi"))


def shelf(told: str) -> Path | None:
    """Where compiled code is kept: where numba was told to (NUMBA_CACHE_DIR), else beside the sources, else in the user's cache.

    None: nowhere may be written; the code is compiled anew in every process.
    """
    homes = [Path(told)] if told else [Path(__file__).parent / "__pycache__", Path.home() / ".cache", Path(tempfile.gettempdir())]
    for home in homes:
        folder = home / f"healthsvc-dayplan-{fingerprint()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK | os.X_OK):
            _stock(folder, Path(__file__).parent / "__pycache__" / folder.name)
            return folder
    return None


def _stock(folder: Path, prepared: Path) -> None:
    """Take over what was compiled when the service was installed (`healthsvc plan warm`) into a shelf that is still empty.

    numba reads only from where it may also write; the installed sources mostly lie where the service may not.
    """
    if folder == prepared or any(folder.rglob("*.nbi")):
        return
    for one in sorted(prepared.rglob("*.nb?")):  # the code (.nbc) before the index (.nbi) that names it
        home = folder / one.relative_to(prepared)
        home.parent.mkdir(parents=True, exist_ok=True)
        fresh = home.with_name(f".{os.getpid()}.{home.name}")
        shutil.copyfile(one, fresh)
        fresh.replace(home)
