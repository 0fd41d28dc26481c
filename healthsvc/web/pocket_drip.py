"""随身 a drip as the phone takes it along: the order, the log so far, the protocol, and which steps need the server."""

from datetime import timedelta
from typing import Any

from healthsvc.healthfile.rules import Person
from healthsvc.infusion import bedside
from healthsvc.infusion.resources import to_order
from healthsvc.infusion.rules.bedside import Act, Entry
from healthsvc.infusion.rules.course import drip_minutes
from healthsvc.infusion.service import policy_of
from healthsvc.pocket.drip import NEEDS_SERVER, protocol
from healthsvc.store import Store
from healthsvc.visit.rules import Visit
from healthsvc.web import bedside_form as form
from healthsvc.web.lookup import Directory, phone_of
from healthsvc.web.render import Page


def drip_of(store: Store, page: Page, visit: Visit, person: Person) -> dict[str, Any]:
    """Everything that the bedside needs without network."""
    given = bedside.where(store, visit.id)
    request = store.read("MedicationRequest", given.course)
    order, policy, names = to_order(request), policy_of(store), Directory(store)
    doctor = f"Practitioner/{order.prescriber}" if order.prescriber else ""
    minutes = drip_minutes(order.volume_ml, order.rate_ml_h)
    return {
        "step": given.bedside.step.value,
        "log": [_line(store, names, one) for one in given.bedside.log],
        "order": f"{order.drug_name} {order.dose} · {order.solvent} {order.volume_ml} mL · {order.rate_ml_h} mL/h",
        "minutes": minutes,
        "birth": person.birth.isoformat() if person.birth else "",
        "doctor": {"name": names.staff(doctor), "phone": phone_of(store, doctor) if doctor else ""},
        "table": protocol(),
        "server": {act.value: page.say(why) for act, why in NEEDS_SERVER.items()},
        "acts": {act.value: page.say(title) for act, title in form.ACTS.items()},
        "matched": [[code, page.say(title)] for code, title in form.MATCHED],
        "signs": [page.say(one) for one in form.SIGNS],
        "vitals": [[name, page.say(title), unit] for name, title, unit in form.VITAL_FIELDS],
        "with_vitals": [act.value for act in form.WITH_VITALS],
        "with_words": [act.value for act in form.WITH_WORDS],
        "check": policy.check_minutes,
        "observe": policy.observe_minutes,
        "prepared": int(timedelta(minutes=policy.clear_valid_minutes).total_seconds() // 60),
        "last_resort": [act.value for act in (Act.REACT, Act.STOP, Act.ALARM)],
    }


def _line(store: Store, names: Directory, one: Entry) -> dict[str, str]:
    at, by = one.at.astimezone(store.zone), names.staff(f"Practitioner/{one.by}")
    return {"act": one.act.value, "at": at.isoformat(), "by": by, "text": one.text}
