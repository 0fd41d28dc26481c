# mypy: disable-error-code="no-any-return"
"""Compiled: pseudo-random numbers that are the same on every machine (xorshift64*, Vigna 2016)."""

import numpy as np

from healthsvc.dayplan.compiled import compiled

_A, _B, _C = np.uint64(12), np.uint64(25), np.uint64(27)
_STAR = np.uint64(0x2545F4914F6CDD1D)
_HALF, _ELEVEN = np.uint64(32), np.uint64(11)
_UNIT = 1.0 / 9007199254740992.0


@compiled
def roll(dice: np.ndarray) -> np.uint64:
    """The next 64 bits; ``dice`` is one uint64 that must not be 0."""
    x = dice[0]
    x ^= x >> _A
    x ^= x << _B
    x ^= x >> _C
    dice[0] = x
    return x * _STAR


@compiled
def below(dice: np.ndarray, n: int) -> int:
    """A whole number from 0 to ``n`` - 1."""
    return np.int64(((roll(dice) >> _HALF) * np.uint64(n)) >> _HALF)  # type: ignore[return-value]


@compiled
def unit(dice: np.ndarray) -> float:
    """A number from 0 to below 1."""
    return float(roll(dice) >> _ELEVEN) * _UNIT


def seeded(seed: int) -> np.ndarray:
    """Dice from a seed (splitmix64, so that neighbouring seeds differ everywhere)."""
    z = (seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return np.array([z ^ (z >> 31) or 1], dtype=np.uint64)
