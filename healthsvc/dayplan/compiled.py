"""The one decorator of compiled code: no reference counting (nothing is allocated inside), numpy's division, kept on disk, threads go on."""

from collections.abc import Callable
from typing import TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile ``function`` on its first call and keep the result on disk.

    The arrays of the search outlive every call, so counting references to them would only cost time: with it one proposal takes
    about a hundred times as long.
    """
    made: F = njit(cache=True, error_model="numpy", nogil=True, _nrt=False)(function)
    return made
