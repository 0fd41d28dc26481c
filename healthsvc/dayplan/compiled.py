"""The decorators of compiled code: no reference counting, numpy's division, kept on disk, other threads go on meanwhile."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba
from numba import njit

from healthsvc.dayplan import table  # noqa: F401 tells numba how compiled code reaches the arrays
from healthsvc.dayplan.shelf import shelf

F = TypeVar("F", bound=Callable[..., object])

SHELF = shelf(numba.config.CACHE_DIR)  # type: ignore[attr-defined]


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
