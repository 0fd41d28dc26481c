"""The whole open corpus: what is valid, what is not and why; R4B models and the Java validator as judges beside us.

The tables say what is wrong in the published material itself, so that a change of verdict is seen.
"""

import json
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from healthsvc.errors import Malformed
from healthsvc.fhir.json import loads
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.validation import validate

pytestmark = pytest.mark.shared

REGISTRY = Registry.load()
WRONG_TARGETS = {"DeviceMetric-example.json", "DeviceUseStatement-example.json", "MedicationRequest-medrx0301.json"}
INVALID_EXAMPLES = WRONG_TARGETS | {
    "Library-zika-virus-intervention-logic.json",  # urn:oid:X.Y.Z
    "Questionnaire-qs1.json",  # display items without linkId
}
"""Official R4 examples that break R4."""


def errors(document: Any) -> list[str]:
    return [f"{one.path}: {one.text}" for one in validate(document, REGISTRY) if one.severity == "error"]


def documents(folder: Path, pattern: str = "*.json") -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.rglob(pattern)):
        raw = file.read_bytes()
        yield from ((file.name, line) for line in (raw.splitlines() if pattern.endswith("ndjson") else [raw]))


def test_official_examples(shared: Path) -> None:
    found = {name: errors(loads(raw)) for name, raw in documents(shared / "fhir/hl7-r4-examples")}
    assert len(found) == 402
    assert {name for name, wrong in found.items() if wrong} == INVALID_EXAMPLES


def test_synthea_bundles_and_bulk_export_are_valid_and_indexed(shared: Path) -> None:
    count: Counter[str] = Counter()
    for _, raw in documents(shared / "fhir/synthea-bundles-smart"):
        bundle = loads(raw)
        assert errors(bundle) == []
        for entry in bundle["entry"]:
            REGISTRY.extract(entry["resource"])
            count["bundled"] += 1
    for _, raw in documents(shared / "fhir/synthea-bulk-ndjson", "*.ndjson"):
        resource = loads(raw)
        assert errors(resource) == []
        REGISTRY.extract(resource)
        count["exported"] += 1
    assert count == {"bundled": 4244, "exported": 7873}


NOT_R4 = {
    "LegacyRawReindexJobRecord.json",
    "MoneyWithWrongDecimal.json",
    "CompositeCustomTokenQuantitySearchParameterStu3.json",
    "TokenOverflowChargeItem.json",
}


def judged_by_models(document: dict[str, Any]) -> bool | None:
    """Whether the R4B models accept it; None where R4B no longer has the type."""
    from fhir.resources.R4B import get_fhir_model_class

    try:
        model = get_fhir_model_class(document["resourceType"])
    except ValueError:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.model_validate(document)
    except (ValueError, TypeError):
        return False
    return True


STRICTER_MODELS = {
    "Evidence-example.json",  # R4B has another Evidence
    "evidence-example.json",
    "patient-id-extensions.json",  # the models do not know Patient._id
}


def test_nothing_that_the_models_refuse_passes_us(shared: Path) -> None:
    table: Counter[tuple[bool | None, bool]] = Counter()
    only_models: set[str] = set()
    folders = ("hl7-r4-examples", "microsoft-fhir-server", "fhir-test-cases/r4-examples", "fhir-test-cases/validator")
    for folder in folders:
        for name, raw in documents(shared / "fhir" / folder):
            try:
                document = json.loads(raw)
            except ValueError:
                continue
            if not isinstance(document, dict) or not isinstance(document.get("resourceType"), str) or name in NOT_R4:
                continue
            models, ours = judged_by_models(document), not errors(loads(raw))
            table[models, ours] += 1
            if models is False and ours:
                only_models.add(name)
    assert only_models == STRICTER_MODELS
    assert table[True, True] > 550
    assert table[False, False] > 15
    assert 20 <= table[True, False] <= 32  # codes, targets, invariants, narrative: what models do not check


TERMINOLOGY = "the display or code is wrong in LOINC, SNOMED CT or CVX, which we do not carry"
EXTENSION = "the extension is unknown to the validator; a server must keep extensions that it does not know"
EXAMPLE_URL = "the validator refuses example.org urls by a setting"
TEXT = "the standard says should, and real servers' fixtures do it: we warn"
RESOLVE = "the reference resolves to nothing; whether it must is the store's business, not the resource's"
SEARCHSET = "the result of a search on another server; we validate it as a Bundle only"
MARKUP = "the validator takes <text> in markdown or strings for HTML; it is legal text"
DISAGREE = {
    "dr-example-org": EXAMPLE_URL,
    "mr-covid-bnd1": TEXT,
    "parameters-reference-bad": RESOLVE,
    "mni-patientOverview-bundle-example1": TEXT,
    "pat-dob-ext": EXTENSION,
    "bundle-id-3": SEARCHSET,
    "bundle-id-5": TERMINOLOGY,
    "pat-example-extensions": EXTENSION,
    "bundle-with-contained": TERMINOLOGY,
    "uk-msg": TERMINOLOGY,
    "nested-questionnaire-nested-valueset": EXTENSION,
    "bad-markdown-no-html": MARKUP,
    "ips-nz-pj": TERMINOLOGY,
    "pat-security-bad-string": MARKUP,
    "capstmt": TEXT,
}
"""Cases that the Java validator refuses and we accept, and why. There is none the other way round."""


VERDICTS = Path(__file__).with_name("validator-verdicts.tsv")
"""Every case with both verdicts: a change of ours shows in this file. ``python tests/rules/test_fhir_corpus.py`` writes it anew."""


def verdicts(shared: Path) -> list[tuple[str, ...]]:
    """(case, the Java validator's verdict, ours, whether they agree, why not) of every case for which Java's is known."""
    folder = shared / "fhir/fhir-test-cases/validator"
    listed = []
    for case in json.loads((folder / "index.json").read_bytes()):
        if "java_errors" not in case:
            continue
        try:
            refused = bool(errors(loads((folder / case["file"]).read_bytes())))
        except Malformed:
            refused = True
        java, ours = ("refused" if one else "accepted" for one in (case["java_errors"], refused))
        why = "-" if java == ours else DISAGREE.get(case["name"], "?")
        listed.append((case["name"], java, ours, "agree" if java == ours else "disagree", why))
    return listed


def test_verdicts_of_the_java_validator(shared: Path) -> None:
    kept = [tuple(line.split("\t")) for line in VERDICTS.read_text().splitlines()[1:]]
    found = verdicts(shared)
    assert found == kept
    differ = [one for one in found if one[3] == "disagree"]
    assert all(one[1:3] == ("refused", "accepted") for one in differ), "we refuse nothing that Java accepts"
    assert {one[0] for one in differ} == set(DISAGREE)
    assert len(found) - len(differ) == 48


def test_the_place_of_an_error_is_the_place_that_java_names(shared: Path) -> None:
    """For refused single resources, one of our paths starts like one of Java's (which names types and ids on the way)."""
    folder = shared / "fhir/fhir-test-cases/validator"
    same = different = 0
    for case in json.loads((folder / "index.json").read_bytes()):
        places = [one for issue in case.get("java_issues", ()) if issue["severity"] == "error" for one in issue.get("expression", ())]
        if not places or case["name"] in DISAGREE or not case.get("java_errors"):
            continue
        try:
            ours = {text.partition(":")[0].split("[")[0] for text in errors(loads((folder / case["file"]).read_bytes()))}
        except Malformed:
            continue
        theirs = {place.split("[")[0].split("/*")[0] for place in places}
        if any(one.startswith(other) or other.startswith(one) for one in ours for other in theirs):
            same += 1
        else:
            different += 1
    assert (same, different) == (same, 0)
    assert same >= 15


def test_microsofts_fixtures(shared: Path) -> None:
    wrong = set()
    for name, raw in documents(shared / "fhir/microsoft-fhir-server"):
        try:
            document = loads(raw)
        except Malformed:
            wrong.add(name)
            continue
        if errors(document):
            wrong.add(name)
    assert {name for name in wrong if "Smart" in name} == {"SmartPatientA.json"}  # Appointment and ImagingStudy without mandatory elements
    assert len(wrong) == 31


if __name__ == "__main__":
    header = ("case", "java", "ours", "verdict", "why")
    rows = [header, *verdicts(Path(__file__).resolve().parents[2].parent / "shared" / "data")]
    VERDICTS.write_text("".join("\t".join(row) + "\n" for row in rows))
