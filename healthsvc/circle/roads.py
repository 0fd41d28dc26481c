"""Travel times on our own road graph: the default engine."""

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from healthsvc.circle import layer as layers
from healthsvc.circle import network as networks
from healthsvc.circle import paths
from healthsvc.circle.layer import Hooks, Layer, Projection
from healthsvc.circle.network import Network
from healthsvc.circle.rules import Basis, CirclePolicy, Mode
from healthsvc.circle.rules import mode as read_mode
from healthsvc.circle.travel import NO_PATH, ROAD, Floats, Matrix, Reach, Snap, Status, distances, points

ENGINE = "healthsvc roads"


class Roads:
    """A road network with everything prepared for questions; safe to share between threads, prepared mode by mode at first use."""

    def __init__(self, network: Network, manifest: dict[str, Any], policy: CirclePolicy) -> None:
        import shapely

        self.network, self.manifest, self.policy = network, manifest, policy
        west, south, east, north = network.bounds()
        self.projection = Projection((west + east) / 2, (south + north) / 2)
        hull: Any = shapely.convex_hull(shapely.multipoints(self.projection.metres(network.degrees)))
        self.extent = hull.buffer(policy.snap_flag_metres)
        shapely.prepare(self.extent)
        self._layers: dict[Mode, Layer] = {}
        self._lock = Lock()

    @classmethod
    def open(cls, path: Path, policy: CirclePolicy) -> "Roads":
        """Open a network that ``healthsvc roads load`` has saved."""
        network, manifest = networks.read(path)
        return cls(network, manifest, policy)

    def layer(self, mode: str) -> Layer:
        """The network as one mode uses it."""
        how = read_mode(mode)
        with self._lock:
            if how not in self._layers:
                self._layers[how] = layers.layer(self.network, how, self.policy, self.projection)
            return self._layers[how]

    def hook(self, places: Floats, mode: str) -> tuple[Hooks, Snap]:
        """Bring addresses to the mode's roads: the hooks, and how far off and how doubtful they are."""
        import shapely

        hooks = self.layer(mode).hook(places)
        beyond = ~shapely.contains_xy(self.extent, *self.projection.metres(places).T) | (hooks.metres > self.policy.snap_limit_metres)
        edge = np.where(beyond, -1, hooks.edge)
        return Hooks(edge, hooks.along, hooks.metres), Snap(hooks.metres, hooks.metres > self.policy.snap_flag_metres, beyond)

    def matrix(self, origins: ArrayLike, destinations: ArrayLike, mode: str, limit: float | None = None) -> Matrix:
        """Quickest ways on the roads; ``NO_PATH`` where the data know none or an address lies outside them.

        The stretch between an address and its road counts too, on foot. Neighbours on one road who live nearer to each other than to it
        go straight.
        """
        start, end = points(origins), points(destinations)
        here = self.layer(mode)
        from_hooks, from_snap = self.hook(start, mode)
        to_hooks, to_snap = self.hook(end, mode)
        bound = np.inf if limit is None else limit
        seconds, metres = paths.quickest(here, self.network.ends, from_hooks, to_hooks, bound)
        off_road = from_hooks.metres[:, None] + to_hooks.metres[None, :]
        same = (from_hooks.edge[:, None] == to_hooks.edge[None, :]) & (from_hooks.edge[:, None] >= 0)
        pace = self._off_road_pace(here.mode)
        seconds, metres = seconds + off_road * pace, metres + off_road
        rows, columns = np.nonzero(same)
        across = distances(start[rows], end[columns])
        straight = (across <= off_road[rows, columns]) & (across * pace < seconds[rows, columns])
        rows, columns, across = rows[straight], columns[straight], across[straight]
        seconds[rows, columns], metres[rows, columns] = across * pace, across
        seconds[seconds > bound] = metres[seconds > bound] = np.inf
        basis = np.where(self._connected(here, from_hooks, to_hooks), ROAD, NO_PATH).astype(np.int8)
        return Matrix(seconds, metres, basis, from_snap, to_snap, self.provenance(here.mode))

    def reach(self, origin: tuple[float, float], mode: str, minutes: float) -> Reach:
        """The ground beside all roads that can be reached in time."""
        from healthsvc.circle import reach

        place = points([origin])
        hooks, snap = self.hook(place, mode)
        here = self.layer(mode)
        left = max(0.0, minutes * 60.0 - float(snap.metres[0]) * self._off_road_pace(here.mode))
        geometry, area = reach.draw(self.network, here, hooks, left, self.policy.reach_width_metres)
        basis = Basis.ROAD if hooks.edge[0] >= 0 else Basis.NO_PATH
        return Reach(geometry, area, basis, self.provenance(here.mode), float(snap.metres[0]), snap.doubts(0))

    def status(self) -> Status:
        """The engine and the manifest of its data."""
        return Status(ENGINE, Basis.ROAD, tuple(str(how) for how in Mode), self.manifest)

    def provenance(self, how: Mode) -> dict[str, Any]:
        """What is stored with every answer."""
        return {
            "engine": ENGINE,
            "mode": str(how),
            "kmh": self.policy.speed(how),
            "network": self.manifest["sha256"],
            "data_date": self.manifest.get("data_date"),
        }

    def _off_road_pace(self, how: Mode) -> float:
        """Seconds a metre between an address and its road."""
        return 3.6 / (self.policy.walk_kmh if how is Mode.WALK else self.policy.push_kmh)

    def _connected(self, here: Layer, origins: Hooks, destinations: Hooks) -> NDArray[np.bool_]:
        """Whether there is any way, however long, between two hooks."""
        ends = self.network.ends[:, 0]
        from_part, to_part = here.part[ends[origins.edge]], here.part[ends[destinations.edge]]
        known = (origins.edge >= 0)[:, None] & (destinations.edge >= 0)[None, :]
        return np.asarray(known & here.passable[from_part[:, None], to_part[None, :]])
