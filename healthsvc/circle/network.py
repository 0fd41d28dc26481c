"""A road network as it lies on disk and in memory: plain arrays, made once from ways, the same bytes for the same roads.

Edges run from junction to junction; their bends are kept as shapes. Speeds are not part of it: they are policy.
"""

import hashlib
import io
import json
import os
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from healthsvc.circle import ways
from healthsvc.errors import Malformed
from healthsvc.healthfile.datum import EARTH_RADIUS

FORMAT = "healthsvc-roads-1"
SCALE = 1e7
"""Positions are kept as OpenStreetMap keeps them: whole ten-millionths of a degree."""

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Way:
    """One way as drawn: its nodes in order (number, longitude, latitude in ten-millionths of a degree), rights, class, limit and name."""

    nodes: Sequence[tuple[int, int, int]]
    bits: int
    kind: str
    maxspeed: int = 0
    name: str = ""
    passing: bool = False
    """No address is brought here, see :func:`healthsvc.circle.ways.passing`."""


@dataclass(frozen=True, slots=True)
class Network:
    """Roads as arrays: E edges between N junctions with P shape points."""

    junctions: Ints
    """(N, 2) longitude and latitude, ten-millionths of a degree."""
    ends: Ints
    """(E, 2) the junctions at which an edge starts and ends, in the direction of drawing."""
    starts: Ints
    """(E + 1) where an edge's shape begins in ``shape``."""
    shape: Ints
    """(P, 2) all bends, both ends included."""
    bits: NDArray[np.uint8]
    """(E) rights of way, see :mod:`healthsvc.circle.ways`."""
    kind: NDArray[np.uint8]
    maxspeed: NDArray[np.uint8]
    passing: NDArray[np.bool_]
    """(E) bridges, tunnels, motorways: no address is brought to them."""
    name: Ints
    """(E) place in ``names``."""
    names: tuple[str, ...]

    @property
    def degrees(self) -> Floats:
        """(P, 2) the shape points in degrees."""
        return np.asarray(self.shape / SCALE)

    def metres(self) -> Floats:
        """(E) length of every edge along its bends (haversine on the mean sphere)."""
        at = np.radians(self.degrees)
        lon, lat = at[:, 0], at[:, 1]
        half = np.sin(np.diff(lat) / 2) ** 2 + np.cos(lat[:-1]) * np.cos(lat[1:]) * np.sin(np.diff(lon) / 2) ** 2
        steps = np.append(2 * EARTH_RADIUS * np.arcsin(np.sqrt(half)), 0.0)
        steps[self.starts[1:] - 1] = 0.0
        return np.asarray(np.add.reduceat(steps, self.starts[:-1]), dtype=np.float64)

    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        low, high = self.shape.min(axis=0) / SCALE, self.shape.max(axis=0) / SCALE
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def sha256(self) -> str:
        """The network's fingerprint: the same roads give the same one on every machine."""
        digest = hashlib.sha256(FORMAT.encode())
        for part in (self.junctions, self.ends, self.starts, self.shape, self.name):
            digest.update(np.ascontiguousarray(part, dtype="<i4").tobytes())
        for codes in (self.bits, self.kind, self.maxspeed, self.passing):
            digest.update(np.ascontiguousarray(codes).tobytes())
        digest.update("\n".join(self.names).encode())
        return digest.hexdigest()


def build(drawn: Iterable[Way], barriers: dict[int, int] | None = None) -> Network:
    """Join ways into a network: edges are cut wherever two ways share a node, and at barriers.

    Args:
        drawn: the ways; those without rights or with fewer than two nodes are left out.
        barriers: node number -> rights that nobody has across it.

    Raises:
        Malformed: no usable way is among them.
    """
    kept = [way for way in drawn if way.bits and len(way.nodes) > 1]
    if not kept:
        raise Malformed(
            "the data hold no road that can be used on foot, by e-bike or by car; load an extract with highway ways", path="ways"
        )
    barriers = barriers or {}
    seen: Counter[int] = Counter()
    for way in kept:
        seen.update(node for node, _, _ in way.nodes)
        seen[way.nodes[0][0]] += 1
        seen[way.nodes[-1][0]] += 1
    joints: dict[tuple[int, int], int] = {}
    where: list[tuple[int, int]] = []
    names: dict[str, int] = {"": 0}
    edges: list[tuple[int, ...]] = []
    shape: list[tuple[int, int]] = []
    starts: list[int] = []

    def joint(node: tuple[int, int, int], side: int) -> int:
        """The junction of a node; a barrier has one on each side of every way that meets it."""
        key = (node[0], side)
        if key not in joints:
            joints[key] = len(where)
            where.append(node[1:])
        return joints[key]

    def add(run: Sequence[tuple[int, int, int]], sides: tuple[int, int], bits: int, way: Way) -> None:
        starts.append(len(shape))
        shape.extend(node[1:] for node in run)
        label = names.setdefault(way.name, len(names))
        kind = ways.CLASSES.index(way.kind)
        edges.append((joint(run[0], sides[0]), joint(run[-1], sides[1]), bits, kind, way.maxspeed, label, way.passing))

    side = 0
    for way in kept:
        first, from_side = 0, 0
        last = len(way.nodes) - 1
        for at, node in enumerate(way.nodes):
            stop = barriers.get(node[0])
            if stop is None:
                if at > first and (seen[node[0]] > 1 or at == last):
                    add(way.nodes[first : at + 1], (from_side, 0), way.bits, way)
                    first, from_side = at, 0
                continue
            # The way ends on its own side of the barrier; steps of no length lead to its middle and out again for those who may pass.
            passing = _both_ways(way.bits & ~stop)
            if at > first:
                side += 1
                add(way.nodes[first : at + 1], (from_side, side), way.bits, way)
                if passing:
                    add((node, node), (side, 0), passing, way)
            if at < last:
                side += 1
                if passing:
                    add((node, node), (0, side), passing, way)
            first, from_side = at, side
    columns = np.array(edges, dtype=np.int32)
    return Network(
        junctions=np.array(where, dtype=np.int32),
        ends=columns[:, :2].copy(),
        starts=np.array([*starts, len(shape)], dtype=np.int32),
        shape=np.array(shape, dtype=np.int32),
        bits=columns[:, 2].astype(np.uint8),
        kind=columns[:, 3].astype(np.uint8),
        maxspeed=columns[:, 4].astype(np.uint8),
        name=columns[:, 5].copy(),
        passing=columns[:, 6].astype(np.bool_),
        names=tuple(names),
    )


def _both_ways(bits: int) -> int:
    """The same rights in both directions: across a barrier the way itself says which way its traffic runs."""
    return bits | (bits & 0b01010101) << 1 | (bits & 0b10101010) >> 1


def save(network: Network, manifest: dict[str, Any], directory: Path) -> Path:
    """Write ``network.npz`` (arrays and manifest in one file, replaced in one step) and a readable ``manifest.json`` beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        junctions=network.junctions,
        ends=network.ends,
        starts=network.starts,
        shape=network.shape,
        bits=network.bits,
        kind=network.kind,
        maxspeed=network.maxspeed,
        passing=network.passing,
        name=network.name,
        names=np.frombuffer("\n".join(network.names).encode(), dtype=np.uint8),
        manifest=np.frombuffer(text.encode(), dtype=np.uint8),
    )
    target = directory / "network.npz"
    for path, content in ((directory / "manifest.json", text.encode()), (target, buffer.getvalue())):
        fresh = path.with_suffix(path.suffix + ".new")
        fresh.write_bytes(content)
        os.replace(fresh, path)
    return target


def read(path: Path) -> tuple[Network, dict[str, Any]]:
    """Read a saved network and its manifest.

    Raises:
        Malformed: the file is damaged or was written by another version; loading the extract again mends it.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            manifest = json.loads(stored["manifest"].tobytes().decode())
            names = tuple(stored["names"].tobytes().decode().split("\n"))
            arrays = {key: stored[key] for key in ("junctions", "ends", "starts", "shape", "bits", "kind", "maxspeed", "passing", "name")}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise Malformed(f"the road network {path.name} cannot be read ({type(error).__name__}); load the extract again") from None
    if manifest.get("format") != FORMAT:
        raise Malformed(f"the road network {path.name} was written by another version; load the extract again")
    return Network(names=names, **arrays), manifest
