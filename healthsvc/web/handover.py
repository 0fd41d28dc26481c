"""交接班 a hand-over between shifts, drafted from what the record knows: whoever goes off duty corrects it and signs."""

from datetime import timedelta

from healthsvc.homebed import service as beds
from healthsvc.homebed.plans import plan_of
from healthsvc.homebed.rules.bed import Bed
from healthsvc.homebed.rules.plan import PlanKind
from healthsvc.homebed.visits import next_round
from healthsvc.homebed.words import measured
from healthsvc.infusion.resources import to_order
from healthsvc.infusion.returns import open_returns
from healthsvc.store import Store
from healthsvc.visit.service import open_visits
from healthsvc.web.render import Page

_LATELY = timedelta(days=2)


def handover_of(store: Store, bed: Bed, patient: str, page: Page) -> dict[str, str]:
    """Text of the three sections: how it stands, what to watch, what to do; empty where there is nothing to say."""
    return {
        "situation": "\n".join([*_courses(store, patient), *_measured(store, patient)]),
        "watch": "\n".join(_goals(store, bed)),
        "to-do": "\n".join([*_coming(store, bed, patient, page), *_returns(store, patient)]),
    }


def _courses(store: Store, patient: str) -> list[str]:
    """Courses that are open, and how many of their doses are still to come."""
    lines = []
    for request in beds.infusion_orders(store, patient):
        if request["status"] != "active":
            continue
        order, source = to_order(request), f"MedicationRequest/{request['id']}"
        left = sum(source in visit.sources and visit.kind == "home-infusion" for visit in open_visits(store, patient))
        lines.append(f"输液：{order.drug_name} {order.dose}，余 {left} 次")
    return lines


def _measured(store: Store, patient: str) -> list[str]:
    """What was measured last, of the last two days."""
    found = list(store.select("Observation", patient=patient, date=f"ge{(store.at - _LATELY).date().isoformat()}"))
    found.sort(key=lambda one: str(one.get("effectiveDateTime", "")), reverse=True)
    seen: dict[str, str] = {}
    for one in found:
        for label, value in measured(one):
            seen.setdefault(label, value)
    return ["；".join(f"{label} {value}" for label, value in list(seen.items())[:6])] if seen else []


def _goals(store: Store, bed: Bed) -> list[str]:
    """Goals of the nursing plan that nobody has evaluated yet."""
    plan = plan_of(store, bed.id, PlanKind.NURSING)
    return [f"{one.diagnosis}：{one.measures or one.goal}" for one in (plan.goals if plan else ()) if not one.evaluation]


def _coming(store: Store, bed: Bed, patient: str, page: Page) -> list[str]:
    """Visits of the next two days, and the round that is suggested."""
    until = store.at + _LATELY
    soon = [one for one in open_visits(store, patient) if one.window.start <= until]
    lines = [f"{page.say(one.title or one.kind)} {one.window.end.astimezone(store.zone):%m-%d %H:%M} 前" for one in soon[:5]]
    suggested = next_round(store, bed, beds.infusing(store, patient))
    return [*lines, f"建议 {suggested.by:%m-%d} 前查床"]


def _returns(store: Store, patient: str) -> list[str]:
    return [f"待退药品：{one['suppliedItem']['itemCodeableConcept'].get('text', '')}" for one in open_returns(store, patient)]
