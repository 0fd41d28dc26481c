"""The decorators of compiled code: no reference counting, numpy's division, kept on disk, other threads go on meanwhile."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import njit

from healthsvc.dayplan import table  # noqa: F401 tells numba how compiled code reaches the arrays

F = TypeVar("F", bound=Callable[..., object])

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


def shelf() -> Path | None:
    """Where compiled code is kept: where numba was told to (NUMBA_CACHE_DIR), else beside the sources, else in the user's cache.

    None: nowhere may be written; the code is compiled anew in every process.
    """
    config: Any = numba.config
    told = config.CACHE_DIR
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


SHELF = shelf()


OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "_nrt": False}
"""The arrays of the search outlive every call and nothing is allocated inside, so counting references to them would only cost time:
with it one proposal takes about fifteen times as long."""


def compiled(function: F) -> F:
    """Compile a function that only compiled code calls."""
    jit: Any = njit
    made: F = jit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)
    return made


def entry(function: F) -> F:
    """Compile a function that Python calls, and keep the result with everything below it on disk."""
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(SHELF or "")
    try:
        jit: Any = njit
        made: F = jit(cache=SHELF is not None, **OPTIONS)(function)
    finally:
        config.CACHE_DIR = before
    return made
