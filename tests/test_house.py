"""The house itself: what stands in the tree, checked by a machine."""

import re
import subprocess
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from healthsvc import policy
from healthsvc.healthfile import citizen_id

ROOT = Path(__file__).resolve().parents[1]
TEXT = {".py", ".md", ".toml", ".csv", ".hl7", ".json", ".html", ".js", ".css", ".txt", ".lock", ".yml", ".yaml", ".mako", ".sh", ".po", ""}
RESERVED_AREAS = ("330299", "990101", "110199", "310199")
"""Area parts that no place has; made-up citizen ids carry them, or a sequence of 9xx that offices did not reach."""


@cache
def tracked() -> tuple[Path, ...]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a checkout: the scan reads what is tracked")
    return tuple(ROOT / name for name in listed if name and (ROOT / name).is_file())


def texts() -> list[tuple[Path, str]]:
    return [(path, path.read_bytes().decode("utf-8", "surrogateescape")) for path in tracked() if path.suffix in TEXT]


def test_no_citizen_id_in_the_tree_looks_real() -> None:
    found = []
    for path, text in texts():
        if path.name == "requirements.lock":
            continue
        for number in re.findall(r"(?<![0-9A-Za-z.])[1-9]\d{16}[0-9Xx](?![0-9A-Za-z])", text):
            plausible = re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", number[6:14])
            genuine = plausible and citizen_id.check_digit(number[:17]) == number[17].upper()
            if genuine and not number.startswith(RESERVED_AREAS) and number[14] != "9":
                found.append(f"{path.relative_to(ROOT)}: {number[:6]}...")
    assert not found, "citizen ids in the tree carry a reserved area or a sequence of 9xx"


def test_no_mobile_number_in_the_tree_looks_real() -> None:
    """Made-up mobile numbers are zeros after the prefix, or one digit all through."""
    found = [
        f"{path.relative_to(ROOT)}: {number[:5]}..."
        for path, text in texts()
        if path.suffix not in {".lock", ".svg"} and path.name != "package-lock.json"
        for number in re.findall(r"(?<![0-9A-Za-z.])1[3-9]\d{9}(?![0-9A-Za-z])", text)
        if not re.fullmatch(r"1[3-9]\d0{6}\d\d|1(\d)\1{9}", number)
    ]
    assert not found


def test_no_file_names_a_machine_or_a_download_host() -> None:
    wrong = re.compile(r"/(?:work|root/\.[a-z]+)/|pypi\.org/simple|files\.pythonhosted|registry\.npmjs|deb\.debian")
    found = [
        f"{path.relative_to(ROOT)}: {hit.group()}"
        for path, text in texts()
        if path != Path(__file__)
        for hit in [wrong.search(text)]
        if hit
    ]
    assert not found


def test_nothing_that_is_tracked_leads_out_of_the_tree() -> None:
    if not tracked():
        pytest.skip("needs git and a checkout")
    listed = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    links = [line.partition("\t")[2] for line in listed.splitlines() if line.startswith("120000 ")]
    assert links == [], "a link of this machine; what `make setup` fetches is not tracked"


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    ours = [path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ("healthsvc", "integrations")]
    counted = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in ours}
    long = {name: count for name, count in counted.items() if count > 300 and "migrations" not in name}
    assert not long, "split what is longer than 300 lines"


def test_the_top_level_is_what_the_architecture_says() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in tracked()}
    visible = {name for name in top if not name.startswith(".")}
    assert visible <= {
        "pyproject.toml", "healthsvc", "integrations", "fixtures", "tests", "README.md", "Makefile", "requirements.lock", "LICENSE",
    }  # fmt: skip


def test_every_folder_of_the_house_stands_in_the_architecture() -> None:
    told = (ROOT / "healthsvc" / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = {path.parent for path in tracked() if path.name == "__init__.py" and path.parts[-3] in ("healthsvc", "integrations")}
    assert len(folders) > 30
    assert {f"{one.parent.name}/{one.name}" for one in folders if f"{one.name}/`" not in told} == set()


def test_every_link_in_the_documents_leads_somewhere() -> None:
    broken = []
    for path in tracked():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
            of_a_page = path.parent.name == "roles" and target.startswith("/")  # tests/web/test_web_help.py opens each
            if "://" not in target and not of_a_page and not (path.parent / target).exists():
                broken.append(f"{path.relative_to(ROOT)} -> {target}")
    assert not broken


def test_every_policy_parameter_is_named_after_a_room_and_in_force_somewhere() -> None:
    known = policy.load()
    rooms = {path.name for path in (ROOT / "healthsvc").iterdir() if path.is_dir()}
    rooms |= {"hospital"}  # what hospital messages bring about: integrations/effects
    for parameter in known:
        assert parameter.name.partition(".")[0] in rooms, parameter.name
        assert parameter.source.strip(), parameter.name
        assert parameter.title.strip(), parameter.name
    assert [name for name in known.names() if not known.in_force(name, date(2026, 1, 1))] == []


def test_every_room_that_is_built_is_open() -> None:
    from importlib import import_module

    from healthsvc.rooms import ROOMS
    from healthsvc.store import Room

    modules = [import_module(f"healthsvc.{path.parent.name}.room") for path in (ROOT / "healthsvc").glob("*/room.py")]
    built = {one.name for module in modules for one in vars(module).values() if isinstance(one, Room)}
    assert {one.name for one in ROOMS} == built


def test_the_reference_of_the_settings_is_current() -> None:
    from healthsvc.commands.settings import reference_text

    written = (ROOT / "healthsvc" / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == reference_text(), "run `healthsvc settings --reference > healthsvc/docs/configuration.md`"
