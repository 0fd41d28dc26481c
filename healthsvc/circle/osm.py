"""Read an OpenStreetMap extract (PBF, or XML as it is or compressed): its ways with rights of use, its barriers, its date."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from healthsvc.circle import ways
from healthsvc.circle.network import Way
from healthsvc.errors import Malformed, NotFound

PBF, XML = "pbf", "osm"
COMPRESSED = {"osm.bz2": b"BZh", "osm.gz": b"\x1f\x8b"}
"""How compressed XML begins."""
NAMES = {PBF: "PBF", XML: "XML", "osm.bz2": "XML (bzip2)", "osm.gz": "XML (gzip)"}
ATTRIBUTION = "© OpenStreetMap contributors, ODbL 1.0"

_KEYS = frozenset(
    {"highway", "area", "access", "foot", "bicycle", "vehicle", "motor_vehicle", "motorcar", "motorroad", "oneway", "oneway:bicycle"}
    | {"junction", "maxspeed", "barrier", "bridge", "tunnel", "cycleway", "cycleway:left", "cycleway:right", "cycleway:both"}
)
_DATE_IN_NAME = re.compile(r"(?<!\d)(20\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True, slots=True)
class Extract:
    """What an extract holds for us."""

    ways: list[Way]
    barriers: dict[int, int]
    data_date: str | None
    """ISO date or instant of the data; None where neither the file nor its name tells."""
    date_source: str
    """``header``, ``newest object``, ``file name`` or ``unknown``."""
    cut: int
    """Ways that leave the extract: some of their nodes are missing."""


def read(path: Path) -> Extract:
    """Read all ways that somebody may use.

    Args:
        path: the file; what it is says its beginning, whatever its name.

    Raises:
        NotFound: there is no such file.
        Malformed: it is empty, no extract, damaged, or holds no road.
    """
    import osmium

    kind = _kind(path)
    found: list[Way] = []
    barriers: dict[int, int] = {}
    newest, cut = datetime(1970, 1, 1, tzinfo=UTC), 0
    try:
        header = osmium.io.Reader(osmium.io.File(str(path), kind), osmium.osm.osm_entity_bits.NOTHING).header()
        late = {} if kind == PBF else _late(path, kind)
        objects: Any = osmium.FileProcessor(osmium.io.File(str(path), kind), osmium.osm.NODE | osmium.osm.WAY)
        objects = objects.with_locations("sparse_mem_array").with_filter(osmium.filter.KeyFilter("highway", "barrier"))
        for thing in objects:
            newest = max(newest, thing.timestamp)
            tags = {tag.k: tag.v for tag in thing.tags if tag.k in _KEYS}
            if thing.is_node():
                taken = ways.blocked(tags)
                if taken:
                    barriers[thing.id] = taken
                continue
            bits = ways.rights(tags)
            if not bits:
                continue
            name = thing.tags.get("name:zh") or thing.tags.get("name") or thing.tags.get("ref") or ""
            runs, broken = _runs(thing.nodes, late)
            cut += broken
            found += (Way(run, bits, tags["highway"], ways.maxspeed(tags), name, ways.passing(tags)) for run in runs)
    except (RuntimeError, ValueError) as error:
        raise Malformed(
            f"{path.name} cannot be read as an OpenStreetMap {NAMES[kind]} file ({_brief(error)}); fetch the extract again", path="file"
        ) from None
    if not found:
        raise Malformed(
            f"{path.name} holds no road that can be used on foot, by e-bike or by car; load an extract with highway ways", path="file"
        )
    said, how = _dated(header, newest, path)
    return Extract(found, barriers, said, how, cut)


def _kind(path: Path) -> str:
    """The format of a file by its beginning; what plainly is no extract is refused before the reader sees it."""
    if not path.is_file():
        raise NotFound(f"there is no file {path.name}; give the path of an .osm.pbf extract", path="file")
    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise Malformed(f"{path.name} is empty; fetch the extract again", path="file")
    if b"OSMHeader" in head[:64]:  # a PBF starts with a blob header of that type
        return PBF
    for kind, begins in COMPRESSED.items():
        if head.startswith(begins):
            return kind
    if b"<osmChange" in head:
        raise Malformed(f"{path.name} holds changes (osmChange), not an area; load an extract of the whole area", path="file")
    if b"<osm" in head:
        return XML
    raise Malformed(f"{path.name} is no OpenStreetMap file; give an extract as .osm.pbf, .osm, .osm.bz2 or .osm.gz", path="file")


def _late(path: Path, kind: str) -> dict[int, tuple[int, int]]:
    """Where the nodes lie that stand behind a way that needs them, or have a number of an editor's own (below zero).

    A reader takes nodes first, as PBF files have them; XML that a query or an editor writes need not.
    """
    import osmium

    seen: set[int] = set()
    wanted: set[int] = set()
    late: dict[int, tuple[int, int]] = {}
    objects: Any = osmium.FileProcessor(osmium.io.File(str(path), kind), osmium.osm.NODE | osmium.osm.WAY)
    for thing in objects:
        if thing.is_way():
            wanted.update(node.ref for node in thing.nodes if node.ref not in seen)
            continue
        seen.add(thing.id)
        if (thing.id < 0 or thing.id in wanted) and thing.location.valid():
            late[thing.id] = (thing.location.x, thing.location.y)
    return late


def _runs(nodes: Any, late: Mapping[int, tuple[int, int]]) -> tuple[list[list[tuple[int, int, int]]], bool]:
    """The stretches of a way whose nodes the extract knows; and whether some were missing."""
    runs: list[list[tuple[int, int, int]]] = [[]]
    broken = False
    for node in nodes:
        known = late.get(node.ref) or ((node.location.x, node.location.y) if node.location.valid() else None)
        if known is None:
            broken = True
            if runs[-1]:
                runs.append([])
        elif not runs[-1] or runs[-1][-1][0] != node.ref:
            runs[-1].append((node.ref, *known))
    return [run for run in runs if len(run) > 1], broken


def _dated(header: Any, newest: datetime, path: Path) -> tuple[str | None, str]:
    """When the data were true, and who says so."""
    for key in ("osmosis_replication_timestamp", "timestamp"):
        said = header.get(key)
        if said:
            return str(said), "header"
    if newest.year > 2004:  # OpenStreetMap began in 2004; extracts without metadata say 1970
        return newest.date().isoformat(), "newest object"
    named = _DATE_IN_NAME.search(path.name)
    if named:
        try:
            return date(*map(int, named.groups())).isoformat(), "file name"
        except ValueError:
            return None, "unknown"
    return None, "unknown"


def _brief(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
