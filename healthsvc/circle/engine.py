"""Who answers: the roads where there are data, the estimate elsewhere, marked as such."""

import os
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from healthsvc.circle.rules import Basis, CirclePolicy, Doubt
from healthsvc.circle.travel import ESTIMATE, Estimate, Matrix, Reach, TravelTimes
from healthsvc.policy import Policy


class Composite:
    """A road engine with the estimate behind it: pairs with an address outside the data are estimated; ``no_path`` inside them stays."""

    def __init__(self, roads: TravelTimes, estimate: TravelTimes) -> None:
        self.roads, self.estimate = roads, estimate

    def matrix(self, origins: ArrayLike, destinations: ArrayLike, mode: str, limit: float | None = None) -> Matrix:
        """Ways by road, estimated where an end lies outside the road data (``basis`` says which)."""
        found = self.roads.matrix(origins, destinations, mode, limit)
        outside = found.origins.outside[:, None] | found.destinations.outside[None, :]
        if not outside.any():
            return found
        guess = self.estimate.matrix(origins, destinations, mode, limit)
        return Matrix(
            np.where(outside, guess.seconds, found.seconds),
            np.where(outside, guess.metres, found.metres),
            np.where(outside, ESTIMATE, found.basis).astype(np.int8),
            found.origins,
            found.destinations,
            {**found.provenance, "estimate": guess.provenance},
        )

    def reach(self, origin: tuple[float, float], mode: str, minutes: float) -> Reach:
        """The ground reached by road, or the estimated circle outside the data."""
        found = self.roads.reach(origin, mode, minutes)
        if Doubt.OUTSIDE_DATA not in found.doubts:
            return found
        guess = self.estimate.reach(origin, mode, minutes)
        return Reach(guess.geometry, guess.square_km, Basis.ESTIMATE, guess.provenance, found.snap_metres, (*found.doubts, Doubt.ESTIMATED))

    def status(self) -> dict[str, Any]:
        """The road engine's status, and that the estimate stands behind it."""
        return {**self.roads.status(), "outside_the_data": self.estimate.status()}


def policy_values(policy: Policy, on: date) -> CirclePolicy:
    """The circle's parameters in force on a day."""
    return policy.fill(CirclePolicy, "circle", on)


def travel_times(data: Path | None, policy: Policy, on: date) -> TravelTimes:
    """The travel times of a site: its loaded roads, or the embedded town, each with the estimate behind it.

    Args:
        data: the site's data directory (``DATA/roads`` holds what ``healthsvc roads load`` made); None: the embedded town.
        policy: where speeds and limits come from.
        on: the day whose parameters are in force.

    The answer is kept until the file or a parameter changes; it is safe to share between threads.
    """
    values = policy_values(policy, on)
    path = None if data is None else data / "roads" / "network.npz"
    if path is None or not path.is_file():
        return _town(_Values(values))
    stamp = os.stat(path)
    return _loaded(path, (stamp.st_mtime_ns, stamp.st_size), _Values(values))


class _Values:
    """Parameters as a key: the same values are the same key (tables among them cannot be hashed on their own)."""

    def __init__(self, policy: CirclePolicy) -> None:
        self.policy = policy

    def __hash__(self) -> int:
        return hash(repr(self.policy))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Values) and self.policy == other.policy


@lru_cache(maxsize=2)
def _loaded(path: Path, stamp: tuple[int, int], values: _Values) -> Composite:
    from healthsvc.circle.roads import Roads

    return Composite(Roads.open(path, values.policy), Estimate(values.policy))


@lru_cache(maxsize=2)
def _town(values: _Values) -> Composite:
    from healthsvc.circle import town
    from healthsvc.circle.roads import Roads

    network, manifest = town.network()
    return Composite(Roads(network, manifest, values.policy), Estimate(values.policy))
