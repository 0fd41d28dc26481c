"""Medication: ORC, RXO, RXE, RXR and TQ1 to MedicationRequest; RXD to MedicationDispense; RXA to MedicationAdministration."""

from healthsvc.fhir.elements import extension
from healthsvc.fhir.json import Lexical, Resource
from integrations.hl7v2.er7 import Part, Segment
from integrations.hl7v2.maps.orders import URGENCY
from integrations.hl7v2.maps.row import Row, Take, View
from integrations.hl7v2.maps.take import (
    amount,
    concept,
    concepts,
    first,
    markdown,
    number,
    people,
    person,
    stamp,
    table,
    text,
    timing,
    volume,
    when,
    whole,
)
from integrations.hl7v2.maps.words import remark
from integrations.hl7v2.numbers import number_in
from integrations.hl7v2.values import clean, time_of

MEDICATION_CONTROL = {
    "CA": "cancelled", "CR": "cancelled", "DC": "stopped", "DE": "entered-in-error", "DR": "stopped", "FU": "completed", "HD": "on-hold",
    "HR": "on-hold", "NW": "active", "OC": "cancelled", "OD": "stopped", "OH": "on-hold", "OK": "active", "RE": "active", "RL": "active",
    "RO": "active", "RP": "active", "RQ": "active", "SN": "active", "UA": "cancelled", "XO": "active", "XR": "active", "XX": "active",
}  # fmt: skip
"""ORC-1 (table 0119) to medicationrequest-status."""
MEDICATION_STATUS = {
    "A": "active", "CA": "cancelled", "CM": "completed", "DC": "stopped", "ER": "entered-in-error", "HD": "on-hold", "IP": "active",
    "RP": "stopped", "SC": "active",
}  # fmt: skip
"""ORC-5 (table 0038) to medicationrequest-status."""
COMPLETION = {"CP": "completed", "NA": "not-done", "PA": "stopped", "RE": "not-done"}
"""RXA-20 (table 0322) to medication-admin-status."""
_DOSE = "dosageInstruction[].doseAndRate[]."


def least(most: int, unit: int) -> Take:
    """A dose that has no upper end: a Quantity."""

    def take(segment: Segment, n: int, view: View) -> Resource | None:
        found: Resource | None = None if segment[most] else amount(unit)(segment, n, view)
        return found

    return take


def span(low_at: int, unit: int) -> Take:
    """A dose with an upper end: a Range."""

    def take(segment: Segment, n: int, view: View) -> Resource | None:
        high, low = amount(unit)(segment, n, view), amount(unit)(segment, low_at, view)
        if high is None or (low is not None and float(low["value"]) > float(high["value"])):
            return {"high": high} if high else None  # R4 rng-2: a lower end above the upper one says nothing
        return {**({"low": low} if low else {}), "high": high}

    return take


def old_amount(segment: Segment, n: int, view: View) -> Resource | None:
    """TQ.1 of the first repetition: a number and its unit in subcomponents."""
    return _old_amount(segment[n], view)


def _old_amount(tq: Part, view: View) -> Resource | None:
    part = tq.component(1)
    found = number_in(clean(part.subcomponent(1).text, view.nothing))
    unit = clean(part.subcomponent(2).text, view.nothing)
    return {"value": Lexical(found.text), **({"unit": unit} if unit else {})} if found and not found.comparator else None


def old_interval(segment: Segment, n: int, view: View) -> Resource | None:
    """TQ.2 of the first repetition: how often, as the site's word (``&ONCE``, ``BID``)."""
    return _old_interval(segment[n], view)


def _old_interval(tq: Part, view: View) -> Resource | None:
    part = tq.component(2)
    words = " ".join(word for k in (1, 2) if (word := clean(part.subcomponent(k).text, view.nothing)))
    return {"text": words} if words else None


def old_dosage(tq: Part, view: View) -> Resource:
    """One repetition of TQ (v2.4 4.3) as a dosage: amount, rhythm, first and last day; empty where it says none of them."""
    dose, often = _old_amount(tq, view), _old_interval(tq, view)
    bounds = {key: at for key, part in (("start", 4), ("end", 5)) if (at := stamp(tq.component(part), view))}
    timing = {**({"code": often} if often else {}), **({"repeat": {"boundsPeriod": bounds}} if bounds else {})}
    return {**({"timing": timing} if timing else {}), **({"doseAndRate": [{"doseQuantity": dose}]} if dose else {})}


def times(segment: Segment, n: int, view: View) -> list[str]:
    """TM: the times of day of every repetition."""
    return [clock for part in segment[n].repetitions if (clock := time_of(part.component(1).text))]


def given(segment: Segment, n: int, view: View) -> Resource | None:
    """RXA-6 with its unit; 999 is how HL7 says that nobody knows how much (v2.5.1 4.14.7.6)."""
    return None if clean(segment[n].component(1).text) == "999" else amount(7)(segment, n, view)


def batch(segment: Segment, n: int, view: View) -> list[Resource]:
    """The batch number of what was given."""
    words = text(segment, n, view)
    return [extension("infusion-batch", valueString=words)] if words else []


ORC_MEDICATION = (
    Row(1, "status", note="table 0119; counts where ORC-5 says nothing"),
    Row(2, "identifier[]", number("PLAC")),
    Row(3, "identifier[]", number("FILL")),
    Row(4, "groupIdentifier", first(number("PGN"))),
    Row(5, "status", note="table 0038"),
    Row(7, _DOSE + "doseQuantity", old_amount, note="TQ.1"),
    Row(7, "dosageInstruction[].timing.code", old_interval, note="TQ.2"),
    Row(7, "dosageInstruction[].timing.repeat.boundsPeriod.start", timing(4), note="TQ.4"),
    Row(7, "dosageInstruction[].timing.repeat.boundsPeriod.end", timing(5), note="TQ.5"),
    Row(9, "authoredOn", when),
    Row(12, "requester", person),
)
RXO_MEDICATION = (
    Row(1, "medicationCodeableConcept", concept),
    Row(2, _DOSE + "doseQuantity", least(3, 4), also=(4,)),
    Row(3, _DOSE + "doseRange", span(2, 4), also=(2, 4)),
    Row(6, "note[]", remark, shown="note.text"),
    Row(7, "dosageInstruction[].additionalInstruction[]", concepts),
    Row(9, "substitution.allowedCodeableConcept", concept),
    Row(11, "dispenseRequest.quantity", amount(12), also=(12,)),
    Row(13, "dispenseRequest.numberOfRepeatsAllowed", whole),
    Row(14, "requester", person),
    Row(20, "reasonCode[]", concepts),
    Row(21, _DOSE + "rateQuantity", amount(22), also=(22,)),
)
RXE_MEDICATION = (
    Row(1, "dosageInstruction[].timing.code", old_interval, note="TQ.2"),
    Row(1, "dosageInstruction[].timing.repeat.boundsPeriod.start", timing(4), note="TQ.4"),
    Row(1, "dosageInstruction[].timing.repeat.boundsPeriod.end", timing(5), note="TQ.5"),
    Row(2, "medicationCodeableConcept", concept),
    Row(3, _DOSE + "doseQuantity", least(4, 5), also=(5,)),
    Row(1, _DOSE + "doseQuantity", old_amount, note="TQ.1, where RXE-3 gives no amount"),
    Row(4, _DOSE + "doseRange", span(3, 5), also=(3, 5)),
    Row(7, "dosageInstruction[].additionalInstruction[]", concepts),
    Row(9, "substitution.allowedCodeableConcept", concept),
    Row(10, "dispenseRequest.quantity", amount(11), also=(11,)),
    Row(12, "dispenseRequest.numberOfRepeatsAllowed", whole),
    Row(13, "requester", person),
    Row(15, "identifier[]", number("", "prescription")),
    Row(21, "note[]", remark, shown="note.text"),
    Row(23, _DOSE + "rateQuantity", amount(24), also=(24,)),
    Row(27, "reasonCode[]", concepts),
    Row(32, "authoredOn", when),
)
RXR_MEDICATION = (
    Row(1, "dosageInstruction[].route", concept),
    Row(2, "dosageInstruction[].site", concept),
    Row(4, "dosageInstruction[].method", concept),
    Row(5, "dosageInstruction[].additionalInstruction[]", concepts),
)
TQ1_MEDICATION = (
    Row(2, _DOSE + "doseQuantity", volume),
    Row(3, "dosageInstruction[].timing.code", concept),
    Row(4, "dosageInstruction[].timing.repeat.timeOfDay[]", times),
    Row(7, "dosageInstruction[].timing.repeat.boundsPeriod.start", when),
    Row(8, "dosageInstruction[].timing.repeat.boundsPeriod.end", when),
    Row(9, "priority", table(URGENCY)),
    Row(10, "dosageInstruction[].additionalInstruction[]", concepts),
    Row(11, "dosageInstruction[].text", text),
    Row(12, "dosageInstruction[].sequence", note="of several TQ1: the next one after this one, or beside it (A)"),
    Row(14, "dosageInstruction[].timing.repeat.count", whole),
)
TQ1_GAPS = tuple(row for row in TQ1_MEDICATION if not row.path.endswith("[]"))
"""What a TQ1 that stands with another detail of the order may add: it fills gaps and makes no list longer."""
RXC_MEDICATION = (
    Row(1, "note[]", note="B base 溶媒, A additive 加药"),
    Row(2, "note[]", note="one line for each component: base (B) or additive (A), what, how much"),
    Row(3, "note[]", note="with RXC-4"),
    Row(4, "note[]", note="with RXC-3"),
)
RXD_DISPENSE = (
    Row(2, "medicationCodeableConcept", concept),
    Row(3, "whenHandedOver", when),
    Row(4, "quantity", amount(5), also=(5,)),
    Row(7, "identifier[]", number("", "prescription")),
    Row(9, "note[]", markdown, shown="note.text"),
    Row(10, "performer[]", lambda segment, n, view: [{"actor": one} for one in people(segment, n, view)], shown="performer.actor"),
)
RXR_DISPENSE = (Row(1, "dosageInstruction[].route", concept),)
RXA_ADMINISTRATION = (
    Row(3, "effectivePeriod.start", when, note="effectiveDateTime where RXA-4 is empty or the same"),
    Row(4, "effectivePeriod.end", when),
    Row(5, "medicationCodeableConcept", concept),
    Row(6, "dosage.dose", given, also=(7,), note="999: not known"),
    Row(9, "note[]", remark, shown="note.text"),
    Row(10, "performer[]", lambda segment, n, view: [{"actor": one} for one in people(segment, n, view)], shown="performer.actor"),
    Row(15, "extension[]", batch, shown="extension.valueString", note="infusion-batch: by it a first dose is proven"),
    Row(18, "statusReason[]", concepts),
    Row(19, "reasonCode[]", concepts),
    Row(20, "status", note="table 0322; RXA-21 D takes the record back"),
    Row(21, "status", note="table 0206: D becomes entered-in-error"),
)
RXR_ADMINISTRATION = (
    Row(1, "dosage.route", concept),
    Row(2, "dosage.site", concept),
    Row(4, "dosage.method", concept),
)
