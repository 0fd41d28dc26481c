"""Load a road extract: ``healthsvc roads load FILE.osm.pbf``. Reads, joins, checks, saves, and says what it found."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healthsvc import clock
from healthsvc.circle.policy import policy_values
from healthsvc.circle.rules import CirclePolicy, Mode
from healthsvc.errors import Malformed
from healthsvc.policy import load as load_policy

if TYPE_CHECKING:
    from healthsvc.circle.network import Network


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

    def as_json(self) -> dict[str, Any]:
        """The report as plain values; kept with the network as its manifest."""
        from healthsvc.circle.network import FORMAT

        return {"format": FORMAT, **asdict(self)}

    def lines(self) -> list[str]:
        """The report in words."""
        west, south, east, north = self.bbox
        dated = f"{self.data_date} (from the {self.date_source})" if self.data_date else "unknown: neither the file nor its name tells"
        found = [
            f"roads of {self.file}: {self.road_km} km, {self.junctions} junctions, {self.edges} edges, {self.barriers} barriers",
            f"bounding box: {west:.5f}, {south:.5f} to {east:.5f}, {north:.5f} (WGS-84)",
            f"data date: {dated}",
        ]
        for part in self.modes:
            large = ", ".join(f"{km} km" for km in part.parts_km)
            found.append(
                f"{part.mode}: {part.road_km} km, {len(part.parts_km)} connected part{'s' * (len(part.parts_km) != 1)} ({large});"
                f" {part.unusable_km} km hang on none of them and are not used for addresses"
            )
        if self.cut_ways:
            found.append(f"{self.cut_ways} ways leave the extract")
        return [*found, f"network sha256: {self.sha256}", self.attribution]


def load(
    path: Path, data: Path, progress: Callable[[int, int], None] = lambda _done, _total: None, policy: CirclePolicy | None = None
) -> LoadReport:
    """Read an ``.osm.pbf`` extract and make it the site's road network in ``data/roads``.

    Args:
        path: the extract.
        data: the site's data directory.
        progress: told how many steps of how many are done.
        policy: the circle's parameters (they say how large a part must be to be usable); None: those in force today.

    Raises:
        NotFound: there is no such file.
        Malformed: it is empty, no PBF, damaged, or holds no road that anybody could use. What was loaded before stays in force.
    """
    from healthsvc.circle import network as networks
    from healthsvc.circle import osm

    values = policy or policy_values(load_policy(data / "policy"), clock.today())
    progress(0, 4)
    extract = osm.read(path)
    progress(1, 4)
    network = networks.build(extract.ways, extract.barriers)
    progress(2, 4)
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
        modes=parts(network, values),
    )
    if not any(part.parts_km for part in report.modes):
        raise Malformed(
            f"{path.name} holds no connected roads long enough to bring an address to; load an extract of the whole area", path="file"
        )
    progress(3, 4)
    networks.save(network, report.as_json(), data / "roads")
    progress(4, 4)
    return report


def parts(network: "Network", policy: CirclePolicy) -> tuple[PartReport, ...]:
    """For every mode the connected parts: large ones by length, and the rest that no address is brought to."""
    import numpy as np

    from healthsvc.circle.roads import Roads

    roads = Roads(network, {"sha256": network.sha256()}, policy)
    found = []
    for how in Mode:
        layer = roads.layer(how)
        open_ = np.isfinite(layer.forward) | np.isfinite(layer.back)
        total = float(layer.metres[open_].sum()) / 1000
        large = sorted((float(km) for km in layer.part_metres[layer.large] / 1000), reverse=True)
        found.append(PartReport(str(how), round(total, 1), tuple(round(km, 1) for km in large), round(total - sum(large), 1)))
    return tuple(found)
