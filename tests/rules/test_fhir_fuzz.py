"""Broken resources: whatever stands where, validation answers, and what it lets pass can be indexed."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from healthsvc.fhir.json import dumps, loads
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.validation import validate

REGISTRY = Registry.load()
JUNK = (
    None, True, False, 0, -1, 1 << 70, "", " ", "x", "2026-02-30", "#", "#x", "Patient/1", "urn:uuid:1", "http://", [], {},
    [[]], [None], [{}],
    {"id": "x"}, {"value": "x"}, {"coding": "x"}, {"coding": [None]}, {"reference": 1},
    {"reference": ""}, {"resourceType": "Patient"}, ["x", 1],
    {"extension": [{"url": "u"}]}, {"start": 1, "end": "x"}, {"value": "1e400"}, "\u0000", "\U0001f600", 1e300,
)  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below a value."""
    found: list[tuple[Any, Any]] = []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        found.append((value, key))
        found += places(one)
    return found


def broken(document: Any, chance: random.Random) -> Any:
    """A copy with one to three places changed, removed or renamed."""
    made = copy.deepcopy(document)
    for _ in range(chance.randint(1, 3)):
        container, key = chance.choice(places(made))
        act = chance.randint(0, 3)
        if act == 0 and isinstance(container, dict):
            container["_" + str(key)] = container.pop(key)
        elif act == 1:
            container[key] = [container[key]]
        elif act == 2 and isinstance(container, dict) and len(container) > 1:
            del container[key]
        else:
            container[key] = copy.deepcopy(chance.choice(JUNK))
        if not places(made):
            return made
    return made


@pytest.mark.shared
def test_broken_examples_never_break_us(shared: Path) -> None:
    chance = random.Random(20261122)
    let_pass = refused = 0
    for file in sorted((shared / "fhir/hl7-r4-examples").glob("*.json")):
        raw = file.read_bytes()
        if len(raw) > 12_000:
            continue
        document = json.loads(raw)
        for _ in range(8):
            one = broken(document, chance)
            if any(issue.severity == "error" for issue in validate(one, REGISTRY)):
                refused += 1
                continue
            let_pass += 1
            REGISTRY.extract(one)
            assert loads(dumps(one)) is not None
    assert refused > 1500
    assert let_pass > 150
