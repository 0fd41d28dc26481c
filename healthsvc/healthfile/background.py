"""个人基本信息: what the national form asks of a person beyond name and number. How it crosses into FHIR."""

from datetime import date
from decimal import Decimal
from typing import Any, Final

from healthsvc.fhir.elements import codes, concept, extension
from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import code_system
from healthsvc.fhir.systems import extension as url_of
from healthsvc.healthfile.circumstances import Allowance, Background

MARITAL: Final = code_system("gbt-2261-2")
_TEXTS: Final = {
    "former_unit": "former-unit",
    "ethnicity": "ethnicity",
    "occupation": "occupation",
    "keeper": "file-keeper",
    "carer": "carer",
}
_CODED: Final = {"household": ("household", "form-household"), "education": ("education", "form-education")}
_PAYMENT: Final = ("payment-mode", "form-payment")
_ALLOWANCE: Final = "nursing-allowance"
URLS: Final = frozenset(map(url_of, (*_TEXTS.values(), *(name for name, _ in _CODED.values()), _PAYMENT[0], _ALLOWANCE)))
"""Extensions of Patient that this module writes."""


def to_extensions(background: Background) -> list[Resource]:
    """All but the marital status, which Patient has an element for."""
    made = [extension(name, valueString=value) for field, name in _TEXTS.items() if (value := getattr(background, field))]
    for field, (name, system) in _CODED.items():
        if value := getattr(background, field):
            made.append(extension(name, valueCodeableConcept=concept(code_system(system), value)))
    made += [extension(_PAYMENT[0], valueCodeableConcept=concept(code_system(_PAYMENT[1]), one)) for one in background.payment]
    if background.allowance is not None:
        made.append(extension(_ALLOWANCE, extension=_parts(background.allowance)))
    return made


def read(patient: Resource) -> Background:
    """Read the circumstances of any Patient."""
    by_url: dict[str, list[Resource]] = {}
    for one in patient.get("extension", ()):
        by_url.setdefault(one.get("url", ""), []).append(one)

    def first(name: str) -> Resource:
        return by_url.get(url_of(name), [{}])[0]

    told: dict[str, Any] = {field: first(name).get("valueString", "") for field, name in _TEXTS.items()}
    for field, (name, system) in _CODED.items():
        told[field] = next(iter(codes(first(name).get("valueCodeableConcept"), code_system(system))), "")
    payments = by_url.get(url_of(_PAYMENT[0]), [])
    told["payment"] = tuple(code for one in payments for code in codes(one.get("valueCodeableConcept"), code_system(_PAYMENT[1])))
    told["marital"] = next(iter(codes(patient.get("maritalStatus"), MARITAL)), "")
    return Background(**told, allowance=_allowance(first(_ALLOWANCE)))


def _parts(allowance: Allowance) -> list[Resource]:
    made: list[Resource] = [{"url": "approved", "valueBoolean": allowance.approved}]
    if allowance.amount is not None:
        made.append({"url": "amount", "valueDecimal": Lexical(format(allowance.amount, "f"))})
    made += [{"url": name, "valueDate": day.isoformat()} for name, day in (("from", allowance.start), ("to", allowance.end)) if day]
    return made


def _allowance(element: Resource) -> Allowance | None:
    parts = {one.get("url"): one for one in element.get("extension", ())}
    if "approved" not in parts:
        return None
    amount = parts.get("amount", {}).get("valueDecimal")
    start, end = (parts.get(name, {}).get("valueDate") for name in ("from", "to"))
    return Allowance(
        parts["approved"]["valueBoolean"],
        None if amount is None else Decimal(str(amount)),
        date.fromisoformat(start) if start else None,
        date.fromisoformat(end) if end else None,
    )
