"""Drug lists: what may be infused at home, what only with a doctor's written approval, what never; and which classes go with which allergy.

A list is site data with a version and an approver. It is read from the policy parameter ``infusion.drug_list`` or from a CSV file.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from healthsvc.errors import Invalid


class Verdict(StrEnum):
    """What the site has decided about a drug at home."""

    ALLOWED = "allowed"
    RESTRICTED = "restricted"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Drug:
    """One entry of the list. ``code`` is unique in the list; ``names`` are all spellings under which an order may name it."""

    code: str
    names: tuple[str, ...]
    verdict: Verdict
    classes: frozenset[str] = frozenset()
    skin_test: bool = False


@dataclass(frozen=True, slots=True)
class DrugClass:
    """One class of drugs: the wider classes above it, other classes it cross-reacts with, and a verdict for all its drugs.

    An allergy to one drug counts against every drug with which it shares a class at any level, so a class is declared only
    where that is meant (penicillins, not "antibiotics").
    """

    code: str
    names: tuple[str, ...] = ()
    parents: frozenset[str] = frozenset()
    cross: frozenset[str] = frozenset()
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class DrugList:
    """A version of the list, who approved it, and whether it is only the shipped example."""

    version: str
    approver: str
    example: bool
    drugs: tuple[Drug, ...]
    classes: tuple[DrugClass, ...] = ()

    def find(self, code: str, name: str = "") -> Drug | None:
        """The entry for a code or, failing that, for a name (folded; exact, never a guess)."""
        by_code = next((drug for drug in self.drugs if code and drug.code == code), None)
        return by_code or next((drug for drug in self.drugs if name and fold(name) in {fold(n) for n in drug.names}), None)

    def wider(self, classes: Iterable[str]) -> frozenset[str]:
        """These classes and all the classes above them."""
        parents = {one.code: one.parents for one in self.classes}
        found: set[str] = set()
        todo = list(classes)
        while todo:
            code = todo.pop()
            if code not in found:
                found.add(code)
                todo.extend(parents.get(code, ()))
        return frozenset(found)

    def verdict(self, drug: Drug) -> Verdict:
        """The strictest of the drug's own verdict and those of its classes."""
        wider = self.wider(drug.classes)
        rank = list(Verdict)
        return max((drug.verdict, *(one.verdict for one in self.classes if one.code in wider and one.verdict)), key=rank.index)

    def allergy_matches(self, drug: Drug, allergy: "Substance") -> str | None:
        """Why an allergy speaks against a drug: ``same-drug``, ``same-class``, ``cross-reaction``; None where it does not.

        Names count as much as codes: 青霉素 in a file without codes still matches every penicillin.
        """
        if drug in self._drugs_named(allergy):
            return "same-drug"
        named = set(allergy.classes) | self._classes_named(allergy)
        named.update(code for other in self._drugs_named(allergy) for code in other.classes)
        ours, theirs = self.wider(drug.classes), self.wider(named)
        if ours & theirs:
            return "same-class"
        cross = {one.code: one.cross for one in self.classes}
        reacting = {other for code in theirs for other in cross.get(code, ())}
        if ours & reacting or any(theirs & cross.get(code, frozenset()) for code in ours):
            return "cross-reaction"
        return None

    def _drugs_named(self, allergy: "Substance") -> list[Drug]:
        """Drugs that an allergy names by code or by one of their names (also within a longer text)."""
        named = fold(allergy.name)
        return [drug for drug in self.drugs if allergy.code == drug.code or any(fold(name) in named for name in drug.names if name)]

    def _classes_named(self, allergy: "Substance") -> set[str]:
        """Classes that an allergy names by code or by one of their names (also within a longer text: 青霉素类过敏)."""
        named = fold(allergy.name)
        return {
            one.code for one in self.classes if allergy.code == one.code or any(fold(name) in named for name in one.names if name and named)
        }


@dataclass(frozen=True, slots=True)
class Substance:
    """What somebody is allergic to, as the file says it: a code, a name or classes; at least one of them."""

    code: str = ""
    name: str = ""
    classes: frozenset[str] = frozenset()


def fold(text: str) -> str:
    """A name without case and spaces, for comparison."""
    return "".join(text.split()).casefold()


def from_table(table: Mapping[str, Any], where: str = "infusion.drug_list") -> DrugList:
    """Read a list from plain values (a policy parameter, TOML).

    Raises:
        Invalid: version or approver missing, a verdict unknown, a code twice, a class not declared; the text says which entry.
    """
    for key in ("version", "approver"):
        if not table.get(key):
            raise Invalid(f"{where}: a drug list needs its {key}", path=where)
    classes = tuple(_drug_class(entry, f"{where}.classes[{number}]") for number, entry in enumerate(table.get("classes", ())))
    known = {one.code for one in classes}
    drugs = tuple(_drug(entry, f"{where}.drugs[{number}]") for number, entry in enumerate(table.get("drugs", ())))
    seen: set[str] = set()
    for number, drug in enumerate(drugs):
        if drug.code in seen:
            raise Invalid(f"{where}.drugs[{number}]: code {drug.code!r} stands there twice", path=where)
        seen.add(drug.code)
        if missing := sorted(drug.classes - known):
            raise Invalid(f"{where}.drugs[{number}]: class {', '.join(missing)} is not declared in {where}.classes", path=where)
    return DrugList(str(table["version"]), str(table["approver"]), bool(table.get("example", False)), drugs, classes)


def from_csv(text: str, version: str, approver: str, classes: tuple[DrugClass, ...] = ()) -> DrugList:
    """Read a list from CSV with the columns code, names, verdict, classes, skin_test (several names or classes split by ``;``)."""
    rows = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    wanted = {"code", "names", "verdict"}
    if missing := sorted(wanted - set(rows.fieldnames or ())):
        raise Invalid(f"drug list, line 1: column {', '.join(missing)} missing; the header is code,names,verdict,classes,skin_test")
    entries = []
    for row in rows:
        where = f"drug list, line {rows.line_num}"
        flag = (row.get("skin_test") or "").strip().casefold()
        if flag not in {"", "0", "1", "n", "y", "no", "yes", "false", "true", "否", "是"}:
            raise Invalid(f"{where}, column skin_test: write yes or no")
        entry = {
            "code": (row["code"] or "").strip(),
            "names": _split(row["names"]),
            "verdict": (row["verdict"] or "").strip(),
            "classes": _split(row.get("classes")),
            "skin_test": flag in {"1", "y", "yes", "true", "是"},
        }
        _drug(entry, where)
        entries.append(entry)
    table = {
        "version": version,
        "approver": approver,
        "drugs": entries,
        "classes": [
            {
                "code": c.code,
                "names": c.names,
                "parents": c.parents,
                "cross": c.cross,
                **({"verdict": c.verdict.value} if c.verdict else {}),
            }
            for c in classes
        ],
    }
    return from_table(table, "drug list")


def _drug(entry: Mapping[str, Any], where: str) -> Drug:
    if not entry.get("code") or not entry.get("names"):
        raise Invalid(f"{where}: a drug needs its code and at least one name", path=where)
    verdict = _verdict(entry.get("verdict"), where)
    classes = frozenset(entry.get("classes", ()))
    return Drug(str(entry["code"]), tuple(entry["names"]), verdict, classes, bool(entry.get("skin_test", False)))


def _drug_class(entry: Mapping[str, Any], where: str) -> DrugClass:
    if not entry.get("code"):
        raise Invalid(f"{where}: a class needs its code", path=where)
    verdict = _verdict(entry["verdict"], where) if "verdict" in entry else None
    parents, cross = frozenset(entry.get("parents", ())), frozenset(entry.get("cross", ()))
    return DrugClass(str(entry["code"]), tuple(entry.get("names", ())), parents, cross, verdict)


def _verdict(text: object, where: str) -> Verdict:
    try:
        return Verdict(str(text))
    except ValueError:
        raise Invalid(f"{where}: verdict {text!r} is none of {', '.join(Verdict)}", path=where) from None


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(";") if part.strip())
