"""建床评估 The assessment that a person has now: the latest one that still counts."""

from datetime import timedelta

from healthsvc.fhir.elements import codes
from healthsvc.fhir.systems import HOME_CARE
from healthsvc.healthfile.service import follow, replaced, today
from healthsvc.homebed.resources import to_assessment
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.homebed.service import policy_of
from healthsvc.store import Store


def in_force(store: Store, patient: str) -> tuple[str, Assessment] | None:
    """The latest assessment of a person within the days for which one counts, with its id; None where there is none."""
    survivor, on = str(follow(store, patient)["id"]), today(store)
    since = on - timedelta(days=policy_of(store).assessment_valid_days)
    found = [
        (str(one["id"]), to_assessment(one))
        for file in (survivor, *replaced(store, survivor))
        for one in store.select("ClinicalImpression", patient=file)
        if "home-bed-assessment" in codes(one.get("code"), HOME_CARE)
    ]
    return max((one for one in found if since <= one[1].on <= on), key=lambda one: one[1].on, default=None)
