"""药品目录 The site's drug list in the store: a CodeSystem with version, approver and history, before that of the policy files."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, Final

from healthsvc.errors import Forbidden, Invalid, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.roster_files import harmless
from healthsvc.infusion.rules.drugs import Drug, DrugClass, DrugList, from_csv, from_table
from healthsvc.store import Store

LIST: Final = "infusion-drugs"
"""Id of the CodeSystem."""
_CLASS_COLUMNS: Final = ("code", "names", "parents", "cross", "verdict")


def is_list(resource: Resource | None) -> bool:
    """Whether a CodeSystem is the site's drug list."""
    return resource is not None and resource.get("resourceType") == "CodeSystem" and resource.get("id") == LIST


def stored_table(store: Store) -> dict[str, Any] | None:
    """The list in the store as plain values, as the policy has it; None where none has been imported."""
    found = store.find("CodeSystem", LIST)
    return to_table(found) if found is not None else None


def keep_list(store: Store, drugs: str, version: str, approver: str, classes: str | None, known: DrugList) -> Resource:
    """Import a list from CSV (see :func:`from_csv`); without ``classes`` those of the list in force stay.

    Raises:
        Invalid: a line is wrong; the text says which. RuleViolation: the version is that of the list in force, with another content.
    """
    if not version.strip() or not approver.strip():
        raise Invalid("a drug list needs its version and who approved it", path="CodeSystem.version")
    groups = known.classes if classes is None else read_classes(classes)
    listed = from_csv(drugs, version.strip(), approver.strip(), groups)
    for number, one in enumerate(listed.drugs, start=2):
        if any(harmless(text) != text for text in (one.code, *one.names)):
            raise Invalid(f"drugs, line {number}: a code or name begins like a formula; begin it with a letter or a character")
    return store.put(to_code_system(listed))


def read_classes(text: str) -> tuple[DrugClass, ...]:
    """Read classes from CSV with the columns code, names, parents, cross, verdict (several values split by ``;``)."""
    rows = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    if "code" not in (rows.fieldnames or ()):
        raise Invalid(f"classes, line 1: column code missing; the header is {','.join(_CLASS_COLUMNS)}")
    entries = []
    for row in rows:
        values = {key: [part.strip() for part in (row.get(key) or "").split(";") if part.strip()] for key in ("names", "parents", "cross")}
        verdict = (row.get("verdict") or "").strip()
        entries.append({"code": (row["code"] or "").strip(), **values, **({"verdict": verdict} if verdict else {})})
    found = from_table({"version": "classes", "approver": "classes", "classes": entries}, "classes").classes
    declared = {one.code for one in found}
    for number, one in enumerate(found, start=2):
        if missing := sorted((one.parents | one.cross) - declared):
            raise Invalid(f"classes, line {number}: {', '.join(missing)} is not declared here")
    return found


def to_csv(listed: DrugList) -> str:
    """The drugs of a list as CSV, to be changed and imported again; a text that a spreadsheet would run has an apostrophe in front."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")  # with this ending a lone CR in a cell is quoted, too
    rows.writerow(("code", "names", "verdict", "classes", "skin_test"))
    for one in listed.drugs:
        cells = (one.code, ";".join(one.names), one.verdict, ";".join(sorted(one.classes)), "yes" if one.skin_test else "no")
        rows.writerow([harmless(cell) for cell in cells])
    return "\ufeff" + out.getvalue()


def to_code_system(listed: DrugList) -> Resource:
    """Write a list as CodeSystem: drugs and classes as concepts, what the site decided as properties."""
    types = {"kind": "code", "verdict": "code", "class": "code", "parent-class": "code", "cross": "code", "skin-test": "boolean"}
    concepts = [_concept(one.code, one.names, _drug_properties(one)) for one in listed.drugs]
    concepts += [_concept(f"class:{one.code}", one.names or (one.code,), _class_properties(one)) for one in listed.classes]
    return {
        "resourceType": "CodeSystem",
        "id": LIST,
        "url": code_system(LIST),
        "version": listed.version,
        "name": "InfusionDrugs",
        "title": "上门输液药品目录 Drugs for infusion at home",
        "status": "active",
        "experimental": listed.example,
        "publisher": listed.approver,
        "content": "complete",
        "property": [{"code": name, "type": type} for name, type in types.items()],
        "concept": concepts,
    }


def to_table(system: Resource) -> dict[str, Any]:
    """Read it as the plain values of :func:`from_table`."""
    drugs, classes = [], []
    for concept in system.get("concept", ()):
        said = list(_properties(concept))
        many = {name: [value for key, value in said if key == name] for name in ("class", "parent-class", "cross")}
        one = dict(said)
        entry: dict[str, Any] = {"code": concept["code"], "names": _names(concept)}
        if "verdict" in one:
            entry["verdict"] = one["verdict"]
        if one.get("kind") == "class":
            code = str(concept["code"]).removeprefix("class:")
            classes.append(entry | {"code": code, "parents": many["parent-class"], "cross": many["cross"]})
        else:
            drugs.append(entry | {"classes": many["class"], "skin_test": one.get("skin-test") is True})
    return {
        "version": system.get("version", ""),
        "approver": system.get("publisher", ""),
        "example": system.get("experimental") is True,
        "drugs": drugs,
        "classes": classes,
    }


def admit_list(old: Resource | None, new: Resource | None, store: Store) -> None:
    """A list is sound, has its version and approver, changes with its version, stays, and is written by whoever the site lets."""
    if not is_list(new):
        if is_list(old):
            raise RuleViolation("the drug list is replaced by another version, not deleted", reason="infusion-drug-list-keep")
        return
    assert new is not None
    roles = set(store.policy.value("infusion.drug_list_roles", store.today))
    if not roles & store.actor.roles:
        raise Forbidden(f"the drug list is changed by {', '.join(sorted(roles))}", reason="infusion-drug-list-role")
    from_table(to_table(new), "CodeSystem.concept")
    if old is not None and to_table(old) != to_table(new) and old.get("version") == new.get("version"):
        raise RuleViolation("another content needs another version", reason="infusion-drug-list-version", path="CodeSystem.version")


def _concept(code: str, names: Iterable[str], properties: list[tuple[str, Any]]) -> Resource:
    first, *rest = names
    made: Resource = {"code": code, "display": first}
    if rest:
        made["designation"] = [{"value": name} for name in rest]
    made["property"] = [{"code": key, "valueBoolean" if isinstance(value, bool) else "valueCode": value} for key, value in properties]
    return made


def _drug_properties(one: Drug) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [("kind", "drug"), ("verdict", one.verdict.value)]
    found += [("class", code) for code in sorted(one.classes)]
    return [*found, ("skin-test", one.skin_test)]


def _class_properties(one: DrugClass) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [("kind", "class")]
    if one.verdict:
        found.append(("verdict", one.verdict.value))
    return [*found, *(("parent-class", code) for code in sorted(one.parents)), *(("cross", code) for code in sorted(one.cross))]


def _properties(concept: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for one in concept.get("property", ()):
        yield one["code"], next((value for key, value in one.items() if key.startswith("value")), None)


def _names(concept: Mapping[str, Any]) -> list[str]:
    return [str(concept.get("display", concept["code"])), *(str(one["value"]) for one in concept.get("designation", ()))]
