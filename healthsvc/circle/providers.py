"""Who answers: the roads where there are data, the estimate elsewhere, marked as such."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from healthsvc import clock
from healthsvc.circle.policy import policy_values
from healthsvc.circle.rules import Basis, CirclePolicy, Doubt
from healthsvc.circle.travel import ESTIMATE, Estimate, Matrix, Reach, Status, TravelTimes
from healthsvc.policy import Policy
from healthsvc.policy import load as load_policy

__all__ = ["Composite", "policy_values", "site_roads", "travel_times", "use"]

_chosen: list[Callable[[CirclePolicy], TravelTimes]] = []


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

    def status(self) -> Status:
        """The road engine's status, and that the estimate stands behind it."""
        return replace(self.roads.status(), behind=self.estimate.status())


def travel_times(data: Path | None, policy: Policy | None = None, on: date | None = None) -> TravelTimes:
    """The travel times of a site: its loaded roads, or the embedded town, each with the estimate behind it.

    Args:
        data: the site's data directory (``DATA/roads`` holds what ``healthsvc roads load`` made); None: the embedded town.
        policy: where speeds and limits come from; None: the shipped values and the site's own.
        on: the day whose parameters are in force; None: today.

    The answer is kept until the file or a parameter changes; it is safe to share between threads.

    Raises:
        Malformed: the saved network is damaged.
    """
    values = _Values(_in_force(data, policy, on))
    if _chosen:
        return Composite(_chosen[0](values.policy), Estimate(values.policy))
    return site_roads(data, policy, on)


def site_roads(data: Path | None, policy: Policy | None = None, on: date | None = None) -> Composite:
    """The site's own roads, whoever answers questions: maps are drawn from them. Arguments and refusals as :func:`travel_times`."""
    values = _Values(_in_force(data, policy, on))
    path = None if data is None else data / "roads" / "network.npz"
    if path is None or not path.is_file():
        return _town(values)
    stamp = path.stat()
    return _loaded(path, (stamp.st_mtime_ns, stamp.st_size), values)


def use(engine: Callable[[CirclePolicy], TravelTimes] | None) -> None:
    """Let another road engine answer in this process, made anew for the parameters in force; None: the site's own roads again.

    Called once, where the parts are put together.
    """
    _chosen[:] = [engine] if engine else []


def _in_force(data: Path | None, policy: Policy | None, on: date | None) -> CirclePolicy:
    known = policy or load_policy(None if data is None else data / "policy")
    return policy_values(known, on or clock.today())


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
    from healthsvc.circle.load import parts
    from healthsvc.circle.roads import Roads

    network, manifest = town.network()
    modes = [asdict(part) for part in parts(network, values.policy)]
    return Composite(Roads(network, {**manifest, "modes": modes}, values.policy), Estimate(values.policy))
