"""Search parameters that R4 does not have and our people need: names in pinyin, and what our extensions say."""

from typing import Any

from healthsvc.fhir.systems import extension

PINYIN = "pinyin"
PEOPLE = ("Patient", "Practitioner", "RelatedPerson", "Person")

COMPARTMENT: dict[str, tuple[str, ...]] = {"Task": ("patient",), "Contract": ("patient",)}
"""What R4 leaves out of the Patient compartment and R5 put in: who may not see a person must not see what is to be done for them."""


def rows() -> list[list[Any]]:
    """Rows in the shape of the packaged facts: ``[id, code, type, bases, expression, targets, components, description]``."""
    return [
        row("person-pinyin", PINYIN, "string", PEOPLE, "name", "姓名拼音全拼或首字母 Name in pinyin, full or initials"),
        by_extension("cadre-category", "token", "离休或退休 Category of retired cadre"),
        by_extension("managing-unit", "string", "管理单位 Unit that manages the cadre (name)", "string"),
        by_extension("managing-unit-code", "token", "管理单位编码 Unit that manages the cadre (code)", "CodeableConcept", "managing-unit"),
        by_extension(
            "managing-unit-organization",
            "reference",
            "管理单位 Unit that manages the cadre",
            "Reference",
            "managing-unit",
            ["Organization"],
        ),
        by_extension("residence-area", "token", "居住地区划 Area where the person lives"),
        by_extension("risk-tag", "token", "风险标签 Risk tag"),
        by_extension("resettled", "token", "易地安置 Settled away from the managing unit"),
        by_extension("living-arrangement", "token", "居住情况 Living arrangement"),
    ]


def row(name: str, code: str, kind: str, bases: tuple[str, ...], path: str, text: str, targets: list[str] | None = None) -> list[Any]:
    """One parameter on an element of several types."""
    return [name, code, kind, list(bases), " | ".join(f"{base}.{path}" for base in bases), targets or [], [], text]


def by_extension(code: str, kind: str, text: str, of_type: str = "", url: str = "", targets: list[str] | None = None) -> list[Any]:
    """A parameter of Patient on the value of one of our extensions."""
    path = f"extension('{extension(url or code)}').value" + (f".ofType({of_type})" if of_type else "")
    return row(f"Patient-{code}", code, kind, ("Patient",), path, text, targets)
