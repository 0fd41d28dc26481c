"""The one decorator of compiled code: no reference counting, numpy's division, kept on disk, other threads go on meanwhile."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile ``function`` on its first call and keep the result on disk.

    The arrays of the search outlive every call, so counting references to them would only cost time: with it one proposal takes
    about a hundred times as long.
    """
    options: dict[str, Any] = {"_nrt": False}  # nothing is allocated inside
    made: F = njit(cache=True, error_model="numpy", nogil=True, **options)(function)
    return made
