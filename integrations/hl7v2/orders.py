"""ORM, OML, OMG, OMP, RDE, RDS, RAS: what was ordered, dispensed and given. Text to values."""

from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource
from integrations.hl7v2.adt import Stay, stay_of
from integrations.hl7v2.dosage import each_timing
from integrations.hl7v2.er7 import Message, Segment
from integrations.hl7v2.groups import DRUG, Group
from integrations.hl7v2.groups import orders as order_groups
from integrations.hl7v2.header import Header
from integrations.hl7v2.maps import drugs, roles
from integrations.hl7v2.maps import orders as maps
from integrations.hl7v2.maps.row import View, pour
from integrations.hl7v2.participation import in_order
from integrations.hl7v2.person import Demographics, demographics
from integrations.hl7v2.specimen import specimens
from integrations.hl7v2.values import NOTHING_CODED, Coded, clean, coded, moment
from integrations.hospitals.profile import Profile

ORDER_EVENTS = {
    "ORM": frozenset({"O01"}),
    "OML": frozenset({"O21", "O33", "O35", "O39"}),
    "OMG": frozenset({"O19"}),
    "OMI": frozenset({"O23"}),
    "OMP": frozenset({"O09"}),
    "RDE": frozenset({"O11", "O25", "O01", "O49"}),
    "RDS": frozenset({"O13", "O01"}),
    "RAS": frozenset({"O17", "O01"}),
    "RGV": frozenset({"O15", "O01"}),
}


@dataclass(frozen=True, slots=True)
class Placed:
    """One order of a message: its numbers, what is asked as pieces of FHIR, and what came of it."""

    placer: str
    filler: str
    drug: bool
    """A medication order; otherwise a service."""
    status: str | None
    """Request status by ORC-5, else ORC-1; None where neither says."""
    status_as_drug: str | None = None
    """The same by the tables of a medication order: an ORC alone does not say of what kind the order is."""
    asked: Resource = field(default_factory=dict)
    """ServiceRequest or MedicationRequest without person and id; empty where the message only moves the order on."""
    dispensed: tuple[Resource, ...] = ()
    given: tuple[Resource, ...] = ()
    specimens: tuple[Resource, ...] = ()
    route: Coded = NOTHING_CODED
    """RXR-1."""

    @property
    def number(self) -> str:
        """By which it is known: the orderer's number, else the performer's."""
        return f"placer:{self.placer}" if self.placer else f"filler:{self.filler}" if self.filler else ""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One message of orders."""

    event: str
    person: Demographics
    orders: tuple[Placed, ...]
    sent: datetime | None
    stay: Stay | None = None
    prior: int = 0
    """Results of earlier days that stood beside the orders: no orders, kept with the message."""


def read_orders(message: Message, header: Header, profile: Profile, zone: tzinfo) -> OrderEvent:
    """Read a message of orders.

    Raises:
        Invalid: it has no PID, or neither ORC nor a detail (OBR, RXO, RXE, RXD, RXA).
    """
    if "PID" not in message:
        raise Invalid("the message has no PID segment, so its orders are for nobody", path="PID", reason="no-person")
    groups = order_groups(message)
    if not groups:
        raise Invalid("the message has neither ORC nor OBR, RXO or RXE, so it orders nothing", path="ORC", reason="no-order")
    view = View(profile.hospital_of(header), zone, profile.nothing)
    sent = moment(message["MSH"][7].component(1).text, zone)
    return OrderEvent(
        event=header.event,
        person=demographics(message, header, profile, zone),
        orders=tuple(_placed(group, view) for group in groups if not group.prior),
        prior=sum(group.prior for group in groups),
        sent=sent.at if sent else None,
        stay=stay_of(message, profile, zone) if "PV1" in message else None,
    )


def _placed(group: Group, view: View) -> Placed:
    orc, obr = group.get("ORC"), group.get("OBR")
    details = group.all(*DRUG)
    drug = bool(details or group.get("RXD") or group.get("RXA"))
    return Placed(
        placer=_number(view, 2, orc, obr),
        filler=_number(view, 3, orc, obr),
        drug=drug,
        status=_status(orc, drug=drug),
        status_as_drug=_status(orc, drug=True),
        asked=medication(group, view) if details else service(group, view) if obr is not None else {},
        dispensed=tuple(_dispensed(one, group, view) for one in group.all("RXD")),
        given=tuple(_given(one, group, view) for one in group.all("RXA")),
        specimens=() if drug else specimens(group, view),
        route=coded(routes[0][1], view.nothing) if (routes := _of_drug(group, "RXR")) else NOTHING_CODED,
    )


def _number(view: View, position: int, *segments: Segment | None) -> str:
    found = (clean(one[position].component(1).text, view.nothing) for one in segments if one is not None)
    return next((number for number in found if number), "")


def _status(orc: Segment | None, *, drug: bool) -> str | None:
    if orc is None:
        return None
    control, state = (clean(orc[n].component(1).text).upper() for n in (1, 5))
    words, states = (drugs.MEDICATION_CONTROL, drugs.MEDICATION_STATUS) if drug else (maps.ORDER_CONTROL, maps.ORDER_STATUS)
    return states.get(state) or words.get(control)


def service(group: Group, view: View) -> Resource:
    """What is asked as a ServiceRequest, without person, id and status."""
    asked: Resource = {"resourceType": "ServiceRequest", "intent": "order"}
    for name, rows in (
        ("OBR", maps.OBR_REQUEST),
        ("ORC", maps.ORC_REQUEST),
        ("TQ1", maps.TQ1_REQUEST),
        ("NTE", maps.NTE_REQUEST),
        ("DG1", maps.DG1_REQUEST),
    ):
        for segment in group.notes() if name == "NTE" else group.all(name):
            pour(asked, segment, rows, view, nulls=True)
    in_order(asked, group.segments, {"PRT": roles.PRT_SERVICE, "ROL": roles.ROL_SERVICE}, view)
    asked.setdefault("code", {"text": "未注明"})
    return asked


def _of_drug(group: Group, name: str) -> list[Segment]:
    """RXR, RXC or TQ1 of a drug order: those with RXE (as the pharmacy encoded it), else those with RXO, else any."""
    return next((found for detail in ("RXE", "RXO") if (found := group.beside(group.get(detail), name))), group.all(name))


def medication(group: Group, view: View) -> Resource:
    """What is ordered as a MedicationRequest, without person, id and status: RXE (as the pharmacy encoded it) before RXO."""
    asked: Resource = {"resourceType": "MedicationRequest", "intent": "order"}
    for name, rows in (
        ("RXE", drugs.RXE_MEDICATION),
        ("RXO", drugs.RXO_MEDICATION),
        ("TQ1", drugs.TQ1_MEDICATION),
        ("TQ1", drugs.TQ1_GAPS),
        ("ORC", drugs.ORC_MEDICATION),
        ("RXR", drugs.RXR_MEDICATION),
        ("NTE", maps.NTE_REQUEST),
        ("DG1", maps.DG1_REQUEST),
    ):
        for segment in _in_turn(group, name, gaps=rows is drugs.TQ1_GAPS):
            pour(asked, segment, rows, view, nulls=True)
    _timings(asked, group, view)
    in_order(asked, group.segments, {"PRT": roles.PRT_MEDICATION, "ROL": roles.ROL_MEDICATION}, view)
    parts = [words for rxc in _of_drug(group, "RXC") if (words := component(rxc, view))]
    if parts:
        asked["note"] = [*({"text": words} for words in parts), *asked.get("note", ())]
    asked.setdefault("medicationCodeableConcept", {"text": "未注明"})
    _tidy(asked)
    return asked


def _timings(asked: Resource, group: Group, view: View) -> None:
    """A dosage for each timing: TQ1 where there is one, else RXE-1 or ORC-7, whichever says more."""
    rxe, orc = group.get("RXE"), group.get("ORC")
    old, position = (rxe, 1) if rxe is not None and len(rxe[1].repetitions) > 1 else (orc, 7)
    each_timing(asked, _of_drug(group, "TQ1"), old, position, view)


def _in_turn(group: Group, name: str, *, gaps: bool = False) -> list[Segment]:
    """The segments of a drug order in the order in which their word counts; of details, routes and timings only the first.

    ``gaps``: of the timings those that stand with another detail of the order.
    """
    if name == "NTE":
        return group.notes()
    if name == "TQ1":
        own = _of_drug(group, name)
        return [one for one in group.all(name) if one not in own] if gaps else own[:1]
    return _of_drug(group, name)[:1] if name == "RXR" else group.all(name)[:1] if name in ("RXE", "RXO", "ORC") else group.all(name)


def component(rxc: Segment, view: View) -> str:
    """One component of a mixture in words: ``溶媒 0.9%氯化钠 100 ml``."""
    what = coded(rxc[2], view.nothing)
    kind = {"B": "溶媒", "A": "加药"}.get(clean(rxc[1].text).upper(), "")
    words = (kind, what.text or what.code, clean(rxc[3].component(1).text), coded(rxc[4], view.nothing).text or clean(rxc[4].text))
    return " ".join(word for word in words if word) if what else ""


def _tidy(asked: Resource) -> None:
    """One dose, not two; and a period that ends before it begins is none (time stamps of two clocks)."""
    for dosage in asked.get("dosageInstruction", ()):
        for measured in dosage.get("doseAndRate", ()):
            if "doseRange" in measured:  # dose[x] is one: the range says more
                measured.pop("doseQuantity", None)
        repeat = dosage.get("timing", {}).get("repeat", {})
        span = repeat.get("boundsPeriod", {})
        if "start" in span and "end" in span and span["end"][:10] < span["start"][:10]:
            del span["end"]


def _dispensed(rxd: Segment, group: Group, view: View) -> Resource:
    made = pour({"resourceType": "MedicationDispense", "status": "completed"}, rxd, drugs.RXD_DISPENSE, view, nulls=True)
    for rxr in (group.beside(rxd, "RXR") or group.all("RXR"))[:1]:
        pour(made, rxr, drugs.RXR_DISPENSE, view)
    made.setdefault("medicationCodeableConcept", {"text": "未注明"})
    return made


def _given(rxa: Segment, group: Group, view: View) -> Resource:
    made = pour({"resourceType": "MedicationAdministration"}, rxa, drugs.RXA_ADMINISTRATION, view, nulls=True)
    for rxr in (group.beside(rxa, "RXR") or group.all("RXR"))[:1]:
        pour(made, rxr, drugs.RXR_ADMINISTRATION, view)
    made.setdefault("medicationCodeableConcept", {"text": "未注明"})
    dosage = made.get("dosage", {})
    if dosage and "dose" not in dosage:  # R4 mad-1: a dosage without an amount is only told in words
        words = "；".join(one["text"] for key in ("route", "site", "method") if (one := dosage.get(key)))
        made["note"] = [*made.get("note", ()), {"text": f"给药途径：{words}"}]
        del made["dosage"]
    completion, action = (clean(rxa[n].component(1).text).upper() for n in (20, 21))
    made["status"] = "entered-in-error" if action == "D" else drugs.COMPLETION.get(completion, "completed")
    span = made.pop("effectivePeriod", {})
    start, end = span.get("start"), span.get("end")
    if start and end and start != end and len(start) == len(end) and start < end:
        made["effectivePeriod"] = span
    elif start or end:
        made["effectiveDateTime"] = start or end
    if made["status"] != "not-done":
        made.pop("statusReason", None)
    return made
