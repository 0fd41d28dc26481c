"""Compiled code reaches the arrays by the address of a table: it reads and writes just what numpy sees, and nothing else is let in."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from healthsvc.dayplan.layout import KINDS, SHEETS, World

LENGTHS = (3, 5, 7)


def arrays() -> dict[str, Any]:
    """One array of each kind, every element different."""
    made = {}
    for number, (name, (kind, *lengths)) in enumerate(SHEETS.items()):
        shape = [length or LENGTHS[k] for k, length in enumerate(lengths)]
        made[name] = (np.arange(np.prod(shape), dtype=np.int64).reshape(shape) % 200 + number).astype(KINDS[kind])
    return made


def test_every_array_of_the_world_stands_in_the_table() -> None:
    assert [field.name for field in fields(World)] == [*SHEETS, "table", "address"]


def test_compiled_code_reads_and_writes_what_numpy_sees() -> None:
    from numba import njit

    from healthsvc.dayplan.compiled import OPTIONS, compiled

    @compiled
    def last_way(w: World) -> float:
        return w.way[1, 2, 3]  # type: ignore[no-any-return]

    def turn(w: World) -> float:
        w.link[2, 1] += 100
        w.spec[1, 5] = w.win[2, 4] + last_way(w)
        w.allow[1, 3] = w.allow[1, 2] > 0
        w.dice[0] ^= np.uint64(1)
        w.flag[2] = len(w.out) + len(w.undo)
        return w.near[2, 4] + w.total[13] + w.person[2, 5]  # type: ignore[no-any-return]

    wanted, found = World(**arrays()), World(**arrays())
    expected = (wanted.near[2, 4] + wanted.total[13] + wanted.person[2, 5], wanted.way[1, 2, 3])
    wanted.link[2, 1] += 100
    wanted.spec[1, 5] = wanted.win[2, 4] + wanted.way[1, 2, 3]
    wanted.allow[1, 3] = 1
    wanted.dice[0] ^= np.uint64(1)
    wanted.flag[2] = len(wanted.out) + len(wanted.undo)
    assert njit(**OPTIONS)(turn)(found) == expected[0]
    for name in SHEETS:
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("link", np.zeros((3, 5), dtype=np.int64)),
        ("link", np.zeros((3, 4))),
        ("link", np.zeros((3, 8), dtype=np.int64)[:, ::2]),
        ("way", np.zeros((3, 5))),
        ("flag", np.zeros(3, dtype=np.int64)),
    ],
)
def test_an_array_that_lies_otherwise_is_refused(name: str, wrong: Any) -> None:
    with pytest.raises(ValueError, match=name):
        World(**{**arrays(), name: wrong})


def test_what_was_compiled_at_installation_is_taken_over(tmp_path: Path) -> None:
    from healthsvc.dayplan import shelf as kept

    prepared, shelf = tmp_path / "installed", tmp_path / "cache"
    (prepared / "dayplan").mkdir(parents=True)
    shelf.mkdir()
    (prepared / "dayplan/kernel.nbi").write_bytes(b"index")
    (prepared / "dayplan/kernel.1.nbc").write_bytes(b"code")
    kept._stock(shelf, prepared)
    assert sorted(one.name for one in shelf.rglob("*.*")) == ["kernel.1.nbc", "kernel.nbi"]
    (shelf / "dayplan/kernel.nbi").write_bytes(b"our own")
    kept._stock(shelf, prepared)
    assert (shelf / "dayplan/kernel.nbi").read_bytes() == b"our own"
