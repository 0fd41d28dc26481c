"""Compact the published R4 definitions into the facts that we ship (a maintainer's tool, not used at run time).

``python -m healthsvc.fhir.build PATH_TO_r4-definitions`` reads gzip NDJSON of StructureDefinition, SearchParameter, ValueSet,
CodeSystem and CompartmentDefinition (hl7.fhir.r4.core 4.0.1, CC0) and writes ``healthsvc/fhir/r4/*.json.gz``.
``facts.py`` explains the shapes.
"""

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

OUT = Path(__file__).parent / "r4"
STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
SPECIAL_QUANTITIES = ("Age", "Count", "Distance", "Duration", "SimpleQuantity", "MoneyQuantity")
EXAMPLES = ("example", "example-extension")
"""Definitions that the publication holds only to show how one is written."""
BUILT_IN = ("ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "dom-6", "txt-1", "txt-2", "ref-1")
"""Invariants that the validator knows by itself, because nearly every element has them."""

CORRECTED = {
    "que-12": "enableWhen.count() > 1 implies enableBehavior.exists()",  # published as > 2, against its own text
}
"""Invariants whose published FHIRPath contradicts their text, as later releases mended them."""


def main(source: Path) -> None:
    """Read the definitions under ``source`` and write the packaged facts."""
    structures = [one for one in read(source, "StructureDefinition") if wanted(one)]
    codes = Codes(source)
    write("elements", {"types": {name: shape for one in structures for name, shape in shapes(one, codes)}, "codes": codes.used})
    write("invariants", {path: found for one in structures for path, found in invariants(one)})
    write("search", [parameter(one) for one in read(source, "SearchParameter") if searchable(one)])
    write("compartments", {one["code"]: members(one) for one in read(source, "CompartmentDefinition") if one["id"] not in EXAMPLES})


def read(source: Path, kind: str) -> Iterator[dict[str, Any]]:
    """All definitions of one kind, one a line."""
    with gzip.open(source / f"{kind}.ndjson.gz") as lines:
        for line in lines:
            yield orjson.loads(line)


def write(name: str, value: object) -> None:
    """Write one facts file; the same input gives the same bytes."""
    OUT.mkdir(exist_ok=True)
    packed = gzip.compress(orjson.dumps(value), 9, mtime=0)
    (OUT / f"{name}.json.gz").write_bytes(packed)
    sys.stdout.write(f"{name}: {len(packed)} bytes\n")


def wanted(structure: dict[str, Any]) -> bool:
    """Base types and the special quantities; profiles and logical models are not facts of the language."""
    if not structure["url"].startswith(STRUCTURE) or structure["kind"] == "logical" or "snapshot" not in structure:
        return False
    return structure.get("derivation") != "constraint" or structure["id"] in SPECIAL_QUANTITIES


def shapes(structure: dict[str, Any], codes: "Codes") -> Iterator[tuple[str, dict[str, Any]]]:
    """The type and each backbone element inside it: kind, base type and own elements in order."""
    name = structure["id"]
    base = structure.get("baseDefinition", "").removeprefix(STRUCTURE)
    kinds = {"resource": "r", "complex-type": "c", "primitive-type": "p"}
    found = {name: {"k": kinds[structure["kind"]], "b": base, "e": []}}
    for element in structure["snapshot"]["element"]:
        path = element["path"]
        parent, _, last = path.rpartition(".")
        if not parent or structure["kind"] == "primitive-type" or name in SPECIAL_QUANTITIES:
            continue
        if element["base"]["path"] != path:
            continue
        kinds_of = [one["code"] for one in element.get("type", ())]
        if kinds_of and kinds_of[0] in ("BackboneElement", "Element") and not element.get("contentReference"):
            found[path] = {"k": "b", "b": kinds_of[0], "e": []}
            types = [path]
        elif element.get("contentReference"):
            types = [element["contentReference"].removeprefix("#")]
        else:
            types = [written_type(one, path) for one in element["type"]]
        found[parent]["e"].append(record(last, element, types, codes))
    yield from found.items()


def record(name: str, element: dict[str, Any], types: list[str], codes: "Codes") -> list[Any]:
    """``[name, min, max, types, flags, binding]``; trailing empty parts are left off."""
    most = -1 if element["max"] == "*" else int(element["max"])
    flags = ("s" if element.get("isSummary") else "") + ("m" if element.get("isModifier") else "")
    binding = element.get("binding", {})
    bound = codes.index(binding["valueSet"]) if binding.get("strength") == "required" and "valueSet" in binding else None
    row = [name, element["min"], most, " ".join(types), flags, bound]
    if bound is None:
        row.pop()
        if not flags:
            row.pop()
    return row


def written_type(one: dict[str, Any], path: str) -> str:
    """``string``, ``Reference>Patient,Group``, ``canonical>ValueSet``, ``SimpleQuantity``."""
    code: str = one["code"]
    if code.startswith("http://hl7.org/fhirpath/System."):
        code = next(part["valueUrl"] for part in one["extension"] if part["url"].endswith("structuredefinition-fhir-type"))
    if path == "Resource.id":
        code = "id"  # the definition says string by an extension, the text "id"; R5 mended it
    special = [url.removeprefix(STRUCTURE) for url in one.get("profile", ())]
    if special and special[0] in SPECIAL_QUANTITIES:
        return str(special[0])
    targets = [url.removeprefix(STRUCTURE) for url in one.get("targetProfile", ())]
    return f"{code}>{','.join(targets)}" if targets and "Resource" not in targets else code


def invariants(structure: dict[str, Any]) -> Iterator[tuple[str, list[list[str]]]]:
    """Own invariants of each element path: ``[key, severity, text, FHIRPath]``."""
    root, *inner = structure["snapshot"]["element"]
    for element in (root, *(one for one in inner if one["base"]["path"] == one["path"] and structure["id"] not in SPECIAL_QUANTITIES)):
        own = [
            [one["key"], one["severity"], one["human"], CORRECTED.get(one["key"], one["expression"])]
            for one in element.get("constraint", ())
            if one["key"] not in BUILT_IN and one.get("source", "").removeprefix(STRUCTURE) in ("", structure["id"]) and "expression" in one
        ]
        if own:
            yield structure["id"] if element is root else element["path"], own


class Codes:
    """Expansion of required value sets into lists of codes, kept once each in the order of first use."""

    def __init__(self, source: Path) -> None:
        self.sets = {one["url"]: one for one in read(source, "ValueSet")}
        self.systems = {one["url"]: one for one in read(source, "CodeSystem")}
        self.used: list[dict[str, Any]] = []
        self.places: dict[str, int] = {}

    def index(self, canonical: str) -> int:
        """Place of a value set in the list, expanding it on first use."""
        url = canonical.split("|")[0]
        if url not in self.places:
            self.places[url] = len(self.used)
            self.used.append({"url": url, "codes": self.expand(url)})
        return self.places[url]

    def expand(self, url: str) -> dict[str, str] | None:
        """``{system: "code code"}``; None where the set cannot be listed (all of BCP 13, UCUM, ISO 4217)."""
        expanded: dict[str, str] = {}
        for include in self.sets.get(url, {}).get("compose", {}).get("include", ()):
            system = self.systems.get(include["system"], {})
            if not include.get("concept") and (system.get("content") != "complete" or include.get("filter")):
                return None
            listed = [one["code"] for one in include.get("concept") or flat(system["concept"])]
            expanded[include["system"]] = " ".join(filter(None, [expanded.get(include["system"]), *listed]))
        return expanded or None


def flat(concepts: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All concepts of a hierarchy."""
    for one in concepts:
        yield one
        yield from flat(one.get("concept", []))


def searchable(one: dict[str, Any]) -> bool:
    """Search parameters that say where they look."""
    return bool(one.get("expression") and one.get("base")) and one["id"] not in EXAMPLES


def parameter(one: dict[str, Any]) -> list[Any]:
    """``[id, code, type, bases, expression, targets, components, description]``."""
    components = [[part["definition"].rsplit("/", 1)[-1], part["expression"]] for part in one.get("component", ())]
    return [
        one["id"],
        one["code"],
        one["type"],
        one["base"],
        one["expression"],
        one.get("target", []),
        components,
        one.get("description", ""),
    ]


def members(one: dict[str, Any]) -> dict[str, list[str]]:
    """Which parameters put a resource of each type into the compartment; an empty list: never."""
    return {member["code"]: member["param"] for member in one["resource"] if member.get("param")}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
