"""A laboratory's report as FHIR DiagnosticReport and Observations, every number as precise as it was written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from healthsvc.fhir.elements import reference, reference_id
from healthsvc.fhir.flags import CRITICAL, FLAGS
from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import UCUM, hospital_number
from healthsvc.store import Store
from integrations.effects.amending import GONE, SETTLED, amended, held_results, in_order, matched, withdrawn
from integrations.effects.attached import presented
from integrations.effects.relevant import effective, marked, span_of
from integrations.effects.scene import joined
from integrations.hl7v2.maps.results import KIND_OF_SECTION, SECTIONS
from integrations.hl7v2.maps.take import codings
from integrations.hl7v2.numbers import Quantity
from integrations.hl7v2.oru import Report, Result
from integrations.hl7v2.values import Coded, is_before, moment, time_of

_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_V2_0074 = "http://terminology.hl7.org/CodeSystem/v2-0074"
_V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
REPORT_STATUS = {
    "F": "final",
    "P": "preliminary",
    "C": "corrected",
    "A": "partial",
    "R": "partial",
    "X": "cancelled",
    "I": "registered",
    "O": "registered",
    "S": "registered",
}
RESULT_STATUS = {
    "A": "amended",
    "F": "final",
    "U": "final",
    "V": "final",
    "B": "amended",
    "P": "preliminary",
    "R": "preliminary",
    "S": "preliminary",
    "C": "corrected",
    "D": "entered-in-error",
    "W": "entered-in-error",
    "X": "cancelled",
    "I": "registered",
    "O": "registered",
}


def status_of(report: Report, results: Iterable[Resource]) -> str:
    """FHIR status of a report: OBR-25, else what all its results say; those taken back say nothing while others stand."""
    if report.status in REPORT_STATUS:
        return REPORT_STATUS[report.status]
    said = {str(one["status"]) for one in results}
    each = (said - GONE) or said
    if not each or each <= {"final"}:
        return "final"
    if each <= GONE:
        return "cancelled" if each == {"cancelled"} else "entered-in-error"
    return "corrected" if "corrected" in each and each <= SETTLED else "preliminary" if "preliminary" in each else "final"


@dataclass(frozen=True, slots=True)
class Filed:
    """A report as it stands after a message."""

    report: Resource
    written: list[Resource]
    """The results that the message wrote."""
    results: list[Resource]
    """All that the report holds."""
    former: dict[str, Resource]
    """What stood there before, by id."""
    files: Sequence[Resource] = ()
    """Binaries that came inside of it."""

    def is_newly_critical(self, result: Resource) -> bool:
        """Whether a result has become critical by the message."""
        return bool(CRITICAL.intersection(flags_of(result)) - set(flags_of(self.former.get(result["id"], {}))))


def write_report(
    store: Store,
    patient: str,
    report: Report,
    hospital: str,
    id: str,
    sent: datetime,
    encounter: str | None,
    specimens: Sequence[Resource] = (),
    order: str | None = None,
    *,
    zone: tzinfo,
    late: bool = False,
) -> Filed:
    """Write one report and its results under ids that do not change: what is told again becomes a new version, what is not told stays.

    Times without an offset are meant in ``zone``.
    A ``late`` message (a later one of this report has been followed) only adds results that are not on file yet.
    """
    known = store.find("DiagnosticReport", id)
    if known is not None and known["status"] == "entered-in-error" and reference_id(known.get("subject"), "Patient") != patient:
        known = None  # withdrawn from another's file: nothing of it is this person's
    held = held_results(store, known)
    on_file = {one["id"]: one for one in held}
    subject = {"reference": f"Patient/{patient}"}
    stay = {"reference": f"Encounter/{encounter}"} if encounter else None
    at, source = effective(report, known, sent)
    ids, over = matched(id, report.results, held, [one.observed.fhir if one.observed else "" for one in report.results])
    written: dict[str, Resource] = {}
    for result, one in zip(report.results, ids, strict=True):
        if late and one in on_file:
            continue
        observation = _observation(result, one, hospital, at, zone, _kind(report.section, known))
        observation |= {"subject": subject, **({"encounter": stay} if stay else {})}
        if len(specimens) == 1:
            observation["specimen"] = {"reference": f"Specimen/{specimens[0]['id']}"}
        written[one] = store.put(marked(amended(on_file.get(one), observation, result), "" if result.observed else source))
    taken_back = [] if late else list(on_file) if report.status == "X" and not report.results else over
    for one in taken_back:
        if on_file[one]["status"] not in GONE:
            written[one] = store.put(on_file[one] | {"status": withdrawn(on_file[one])})
    results = [written.get(one) or on_file[one] for one in in_order(on_file, ids)]
    named = [reference("Observation", one["id"]) for one in results]
    told_files = {id: one.content for one, id in zip(report.results, ids, strict=True) if one.content and id in written}
    files, forms = presented(store, known, told_files, [one["id"] for one in results if one["status"] not in GONE], patient)
    if late and known is not None:
        more = ({"result": named} if named else {}) | ({"presentedForm": forms} if forms else {})
        return Filed(store.put(known | more), list(written.values()), results, on_file, files)
    status = status_of(report, results)
    if status == "cancelled":
        status = withdrawn(known)
    issued = report.issued.at if report.issued and report.issued.precision in ("minute", "second") else sent
    told: Resource = {
        "resourceType": "DiagnosticReport",
        "id": id,
        "status": status,
        "category": [_section(report.section)],
        "code": _concept(report.code, hospital),
        "subject": subject,
        **span_of(report, known, at),
        "issued": issued.isoformat(),
        **{key: value for key, value in report.more.items() if key != "resultsInterpreter"},
    }
    if known is not None:
        known = {key: value for key, value in known.items() if key not in ("effectiveDateTime", "effectivePeriod")}
    if known is not None and "extension" in known:
        told["extension"] = known["extension"]
        known = {key: value for key, value in known.items() if key != "extension"}
    told = marked(told, source)
    if known is not None and not report.section:
        del told["category"]
    numbers = [
        {"type": {"coding": [{"system": _V2_0203, "code": kind}]}, "system": f"{hospital_number(hospital)}/order", "value": value}
        for kind, value in (("FILL", report.filler), ("PLAC", report.placer))
        if value
    ]
    if numbers:
        told["identifier"] = numbers
    if stay:
        told["encounter"] = stay
    if specimens:
        told["specimen"] = [{"reference": f"Specimen/{one['id']}"} for one in specimens]
    if order:
        told["basedOn"] = [{"reference": f"ServiceRequest/{order}"}]
    if report.notes:
        told["conclusion"] = "\n".join(report.notes)
    author = [{"display": report.author.text or report.author.code}] if report.author else []
    if interpreters := [*author, *report.more.get("resultsInterpreter", ())]:
        told["resultsInterpreter"] = interpreters
    if named:
        told["result"] = named
    made = joined(known, told, ("identifier", "specimen"))
    if forms:
        made["presentedForm"] = forms
    else:
        made.pop("presentedForm", None)
    return Filed(store.put(made), list(written.values()), results, on_file, files)


def flags_of(observation: Resource) -> list[str]:
    """The codes of its interpretation (table 0078)."""
    return [str(coding.get("code")) for one in observation.get("interpretation", ()) for coding in one.get("coding", ())]


def _section(told: str) -> Resource:
    """Which service has made the report; most laboratories leave it out."""
    section = told.upper() or "LAB"
    return {"coding": [{"system": _V2_0074, "code": section}]} if section in SECTIONS else {"text": told}


def _kind(section: str, known: Resource | None) -> str:
    """Of which observation-category the results are; a message that names no section speaks of that on file."""
    told = [section.upper()] if section else [one.get("code") for of in (known or {}).get("category", ()) for one in of.get("coding", ())]
    return next((KIND_OF_SECTION[one] for one in told if one in KIND_OF_SECTION), "laboratory")


def _observation(result: Result, id: str, hospital: str, effective: str, zone: tzinfo, kind: str) -> Resource:
    observation: Resource = {
        "resourceType": "Observation",
        "id": id,
        "status": RESULT_STATUS.get(result.status, "unknown"),
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": kind}]}],
        "code": _concept(result.code, hospital),
        "effectiveDateTime": result.observed.fhir if result.observed else effective,
    }
    observation |= result.more | _value(result, hospital, zone)
    flags = [flag for flag in result.flags if flag]
    if flags:
        observation["interpretation"] = [_interpretation(flag) for flag in flags]
    reference: Resource = {}
    for bound, value in (("low", result.low), ("high", result.high)):
        if value is not None:
            reference[bound] = {"value": Lexical(str(value)), **({"unit": result.unit} if result.unit else {})}
    if result.range_text:
        reference["text"] = result.range_text
    if reference:
        observation["referenceRange"] = [reference]
    if result.notes:
        observation["note"] = [{"text": note} for note in result.notes]
    return observation


def _value(result: Result, hospital: str, zone: tzinfo) -> Resource:
    if result.quantity is not None:
        return {"valueQuantity": _measured(result.quantity, result)}
    if result.span is not None:
        low, high = (_measured(Quantity(text), result) for text in (result.span.low, result.span.high))
        return {"valueRange": {"low": low, "high": high}}
    if result.share is not None:
        return {
            "valueRatio": {
                "numerator": _measured(result.share.numerator, result),
                "denominator": _measured(Quantity(result.share.denominator)),
            }
        }
    if result.coded and len(result.texts) > 1:  # several answers are no one code
        return {"valueCodeableConcept": {"text": "；".join(result.words)}}
    if result.coded:
        return {"valueCodeableConcept": _concept(result.coded, hospital)}
    if result.kind in ("DT", "TS", "DTM") and result.texts:
        read = moment(result.texts[0], zone)
        return {"valueDateTime": read.fhir} if read else {"valueString": result.texts[0]}
    if result.kind == "TM" and result.texts and (clock := time_of(result.texts[0])):
        return {"valueTime": clock}
    if result.kind == "DR" and result.texts:
        return _period(result, zone)
    if result.content is not None:
        return {"dataAbsentReason": {"text": "a file: see presentedForm of the report"}}
    if result.kind in ("ED", "RP"):
        return {"dataAbsentReason": {"text": "attachment kept with the message"}}
    text = "\n".join(result.texts)
    if text:
        return {"valueString": text}
    return {"dataAbsentReason": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}]}}


def _period(result: Result, zone: tzinfo) -> Resource:
    """A period whose beginning does not lie after its end (R4 per-1); else its words."""
    start, end = (found.fhir if (found := moment(text, zone)) else "" for text in result.ends)
    span = {key: at for key, at in (("start", start), ("end", end)) if at}
    backwards = bool(start and end) and is_before(end, start)
    return {"valuePeriod": span} if span and not backwards else {"valueString": result.texts[0]}


def _measured(number: Quantity, of: Result | None = None) -> Resource:
    quantity: Resource = {"value": Lexical(number.text)}
    if number.comparator:
        quantity["comparator"] = number.comparator
    if of and of.unit:
        quantity["unit"] = of.unit
    return quantity | ({"system": UCUM, "code": of.ucum} if of and of.ucum else {})


def _interpretation(flag: str) -> Resource:
    return {"coding": [{"system": _INTERPRETATION, "code": flag}]} if flag in FLAGS else {"text": flag}


def _concept(code: Coded, hospital: str) -> Resource:
    words = code.text or code.code or "未注明"
    codes = codings(code, hospital)
    return {"coding": codes, "text": words} if codes else {"text": words}
