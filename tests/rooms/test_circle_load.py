"""Loading an extract: what the report says, what is refused, and that the written-out town is the embedded one."""

import gzip
import json
import shutil
import sys
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest

from healthsvc.circle import network, town, town_plan, ways
from healthsvc.circle.load import load
from healthsvc.circle.network import Way, build
from healthsvc.circle.providers import travel_times
from healthsvc.errors import Malformed, NotFound, Refusal

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "town"
EXTRACT = FIXTURES / "town-2026-01-01.osm.pbf"


def test_the_town_on_disk_is_the_embedded_town(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    report = load(EXTRACT, tmp_path, lambda done, total: steps.append((done, total)))
    embedded, manifest = town.network()
    assert report.sha256 == embedded.sha256() == manifest["sha256"]
    assert (report.data_date, report.date_source) == ("2026-01-01T00:00:00Z", "header")
    assert report.bbox == manifest["bbox"]
    assert steps[-1] == (4, 4)
    assert json.loads((tmp_path / "roads" / "manifest.json").read_text(encoding="utf-8"))["sha256"] == report.sha256
    times = travel_times(tmp_path)
    assert times.status().roads["file"] == EXTRACT.name  # type: ignore[index]
    start, end = town.town().stations[0], town.town().homes[0]
    ways = [((start.lon, start.lat), (end.lon, end.lat))]
    for origin, destination in ways:
        loaded = times.matrix([origin], [destination], "walk")
        known = travel_times(None).matrix([origin], [destination], "walk")
        assert loaded.seconds[0, 0] == known.seconds[0, 0]


def test_the_places_on_disk_are_those_of_the_embedded_town() -> None:
    sys.path.insert(0, str(FIXTURES))
    try:
        import write
    finally:
        sys.path.remove(str(FIXTURES))
    assert (FIXTURES / "places.geojson").read_text(encoding="utf-8") == write.text()


def test_the_report_names_box_date_modes_parts_and_whose_data_it_is(tmp_path: Path) -> None:
    report = load(EXTRACT, tmp_path)
    said = "\n".join(report.lines())
    for word in (
        "bounding box: 121.58",
        "data date: 2026-01-01",
        "walk:",
        "ebike:",
        "drive:",
        "connected part",
        report.sha256,
        "OpenStreetMap",
    ):
        assert word in said
    walk = report.modes[0]
    assert len(walk.parts_km) == 1
    assert 0 < walk.unusable_km < 1
    assert json.dumps(report.as_json())


def test_an_extract_without_a_date_takes_it_from_its_name(tmp_path: Path, shared: Path) -> None:
    report = load(shared / "osm" / "shanghai_center_2025-08-09.osm.pbf", tmp_path)
    assert (report.data_date, report.date_source) == ("2025-08-09", "file name")
    anonymous = load(shared / "osm" / "shenzhen_futian_from_transbigdata.osm.pbf", tmp_path)
    assert (anonymous.data_date, anonymous.date_source) == (None, "unknown")
    assert "unknown" in "\n".join(anonymous.lines())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"<?xml version='1.0'?><osm/>", "cannot be read as an OpenStreetMap XML file .*missing version"),
        (b"<?xml version='1.0'?><osm version='0.6'/>", "holds no road"),
        (b"<?xml version='1.0'?><osm version='0.6'><node", "cannot be read as an OpenStreetMap XML file"),
        (b"<?xml version='1.0'?><osmChange version='0.6'/>", "holds changes"),
        (b"<html><body>429 Too Many Requests</body></html>", "is no OpenStreetMap file"),
        (b"BZh91AY", r"cannot be read as an OpenStreetMap XML \(bzip2\) file"),
        (gzip.compress(b"<osm version='0.6'><way", mtime=0), r"cannot be read as an OpenStreetMap XML \(gzip\) file"),
        (bytes(range(256)) * 4, "is no OpenStreetMap file"),
        (EXTRACT.read_bytes()[:900], "cannot be read as an OpenStreetMap PBF file"),
        (EXTRACT.read_bytes()[:100] + b"\0" * 3_000, "cannot be read as an OpenStreetMap PBF file"),
    ],
)
def test_what_is_no_extract_is_refused_and_what_was_loaded_stays(tmp_path: Path, content: bytes, said: str) -> None:
    before = load(EXTRACT, tmp_path)
    wrong = tmp_path / "wrong.osm.pbf"
    wrong.write_bytes(content)
    with pytest.raises(Malformed, match=said):
        load(wrong, tmp_path)
    assert travel_times(tmp_path).status().roads["sha256"] == before.sha256  # type: ignore[index]


@pytest.mark.parametrize("name", ["t.osm", "t.osm.bz2", "t.osm.gz", "ways-first.osm", "editor.osm"])
def test_an_extract_in_xml_is_the_same_whatever_the_order_and_the_numbers_of_its_nodes(tmp_path: Path, name: str) -> None:
    import osmium

    path = tmp_path / name
    if name.startswith("t."):
        writer = osmium.SimpleWriter(str(path))
        for one in osmium.FileProcessor(str(EXTRACT)):
            writer.add(one)
        writer.close()
    else:
        parts: dict[bool, list[str]] = {True: [], False: []}
        for one in osmium.FileProcessor(str(EXTRACT), osmium.osm.NODE | osmium.osm.WAY):
            number = one.id if name == "ways-first.osm" else -one.id
            tags = "".join(f"<tag k={quoteattr(tag.k)} v={quoteattr(tag.v)}/>" for tag in one.tags)
            if one.is_node():
                parts[False].append(f'<node id="{number}" lat="{one.location.lat}" lon="{one.location.lon}">{tags}</node>')
            else:
                ends = "".join(f'<nd ref="{node.ref if number > 0 else -node.ref}"/>' for node in one.nodes)
                parts[True].append(f'<way id="{number}">{ends}{tags}</way>')
        path.write_text(f'<osm version="0.6"><note>as a query answers</note>{"".join(parts[True] + parts[False])}</osm>', encoding="utf-8")
    report = load(path, tmp_path)
    assert (report.sha256, report.cut_ways) == (load(EXTRACT, tmp_path).sha256, 0)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no file"):
        load(tmp_path / "none.osm.pbf", tmp_path)
    assert not (tmp_path / "roads").exists()


def test_an_extract_without_roads_is_refused(tmp_path: Path) -> None:
    import osmium

    empty = tmp_path / "empty.osm.pbf"
    writer = osmium.SimpleWriter(str(empty))
    writer.add_node(osmium.osm.mutable.Node(id=1, location=(121.6, 30.4)))
    writer.close()
    with pytest.raises(Malformed, match="holds no road"):
        load(empty, tmp_path)


def test_an_extract_whose_roads_lead_nowhere_leaves_what_was_loaded(tmp_path: Path) -> None:
    import osmium

    point = tmp_path / "point.osm.pbf"
    writer = osmium.SimpleWriter(str(point))
    for number in (1, 2):
        writer.add_node(osmium.osm.mutable.Node(id=number, location=(121.6, 30.4)))
    writer.add_way(osmium.osm.mutable.Way(id=1, nodes=[1, 2], tags={"highway": "residential"}))
    writer.close()
    before = load(EXTRACT, tmp_path).sha256
    with pytest.raises(Malformed, match="no connected roads"):
        load(point, tmp_path)
    assert before in (tmp_path / "roads" / "manifest.json").read_text()


def test_loading_another_extract_changes_the_answers_at_once(tmp_path: Path) -> None:
    start, end = town.town().stations[0], town.town().homes[0]
    question = ([(start.lon, start.lat)], [(end.lon, end.lat)], "walk")
    load(EXTRACT, tmp_path)
    first = travel_times(tmp_path)
    assert travel_times(tmp_path) is first
    other = town_plan.draw(seed=7)
    drawn = [
        Way([(n, *other.degrees(n)) for n in nodes], bits, tags["highway"], 0, tags["name"], ways.passing(tags))
        for nodes, tags, bits in town_plan.rights(other)
    ]
    changed = build(drawn)
    network.save(changed, {"format": network.FORMAT, "sha256": changed.sha256(), "file": "x", "attribution": "x"}, tmp_path / "roads")
    second = travel_times(tmp_path)
    assert second is not first
    assert second.matrix(*question).seconds[0, 0] != first.matrix(*question).seconds[0, 0]


def test_a_damaged_network_says_how_to_mend_it(tmp_path: Path) -> None:
    load(EXTRACT, tmp_path)
    (tmp_path / "roads" / "network.npz").write_bytes(b"nothing")
    with pytest.raises(Refusal, match="load the extract again"):
        travel_times(tmp_path)
    shutil.rmtree(tmp_path / "roads")
    assert "invented" in str(travel_times(tmp_path).status())
