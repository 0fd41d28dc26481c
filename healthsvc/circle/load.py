"""Load a road extract: ``healthsvc roads load FILE.osm.pbf``. Reads, joins, checks, saves, and says what it found."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from healthsvc.circle import network as networks
from healthsvc.circle import osm
from healthsvc.circle.network import Network
from healthsvc.circle.roads import Roads
from healthsvc.circle.rules import CirclePolicy, Mode


@dataclass(frozen=True, slots=True)
class PartReport:
    """What one mode can use: kilometres of road, the large connected parts in kilometres, and what hangs on no large part."""

    mode: str
    road_km: float
    parts_km: tuple[float, ...]
    unusable_km: float


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What an extract holds, as saved in its manifest."""

    file: str
    bbox: tuple[float, float, float, float]
    """West, south, east, north, WGS-84 degrees."""
    data_date: str | None
    date_source: str
    ways: int
    cut_ways: int
    barriers: int
    junctions: int
    edges: int
    road_km: float
    sha256: str
    attribution: str
    modes: tuple[PartReport, ...]

    def manifest(self) -> dict[str, Any]:
        """The report as kept with the network."""
        return {"format": networks.FORMAT, **asdict(self)}


def load(path: Path, data: Path, policy: CirclePolicy, progress: Callable[[str], None] = lambda _: None) -> LoadReport:
    """Read an ``.osm.pbf`` extract and make it the site's road network in ``data/roads``.

    Args:
        path: the extract.
        data: the site's data directory.
        policy: the circle's parameters (they say how large a part must be to be usable).
        progress: told in words what is under way.

    Raises:
        NotFound: there is no such file.
        Malformed: it is empty, no PBF, damaged, or holds no road. What was loaded before stays in force.
    """
    extract = osm.read(path, progress)
    progress("joining ways")
    network = networks.build(extract.ways, extract.barriers)
    progress("finding connected parts")
    report = LoadReport(
        file=path.name,
        bbox=network.bounds(),
        data_date=extract.data_date,
        date_source=extract.date_source,
        ways=len(extract.ways),
        cut_ways=extract.cut,
        barriers=len(extract.barriers),
        junctions=len(network.junctions),
        edges=len(network.ends),
        road_km=round(float(network.metres().sum()) / 1000, 1),
        sha256=network.sha256(),
        attribution=osm.ATTRIBUTION,
        modes=parts(network, policy),
    )
    networks.save(network, report.manifest(), data / "roads")
    progress("saved")
    return report


def parts(network: Network, policy: CirclePolicy) -> tuple[PartReport, ...]:
    """For every mode the connected parts: large ones by length, and the rest that no address is brought to."""
    roads = Roads(network, {"sha256": network.sha256()}, policy)
    found = []
    for how in Mode:
        layer = roads.layer(how)
        open_ = np.isfinite(layer.forward) | np.isfinite(layer.back)
        total = float(layer.metres[open_].sum()) / 1000
        large = sorted((float(km) for km in layer.part_metres[layer.large] / 1000), reverse=True)
        found.append(PartReport(str(how), round(total, 1), tuple(round(km, 1) for km in large), round(total - sum(large), 1)))
    return tuple(found)
