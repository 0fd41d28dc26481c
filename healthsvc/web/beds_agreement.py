"""建床协议 the agreement of a home bed: read before it is signed, signed on the screen by both sides, then frozen."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response

from healthsvc.access.door import StoreReading, needs
from healthsvc.documents.render import to_pdf
from healthsvc.errors import Malformed, RuleViolation
from healthsvc.fhir.consent import SignedConsent, to_consent, to_signed
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import follow, today
from healthsvc.homebed import assessments, papers, service
from healthsvc.homebed.rules import bed as rules
from healthsvc.homebed.rules.bed import Bed, BedKind, Status
from healthsvc.homebed.rules.rounds import interval
from healthsvc.homebed.signing import Hand, Side, keep_hands
from healthsvc.store import Store
from healthsvc.web import beds_form as form
from healthsvc.web.contracts import drawn
from healthsvc.web.findings_form import Typed
from healthsvc.web.forms import typed_form
from healthsvc.web.lookup import Directory

router = APIRouter()
_DRAWN: Final = "drawn"


@router.post("/people/{id}/bed/agreement.pdf", dependencies=[needs("write-clinical")])
def unsigned(id: str, store: StoreReading, typed: Annotated[Typed, Depends(typed_form)]) -> Response:
    """The agreement as it would be signed, to be read first, or printed and signed by hand; nothing is stored."""
    patient = str(follow(store, id)["id"])
    store.audit("print", f"Patient/{patient}", patient=patient, purpose="home bed agreement")
    paper = papers.agreement_paper(store, _as_typed(store, patient, typed), store.at)
    return Response(to_pdf(paper), media_type="application/pdf", headers={"content-disposition": 'inline; filename="agreement.pdf"'})


def kept_agreement(store: Store, patient: str, typed: Typed) -> str:
    """Keep the agreement as it was signed, with what was drawn where it was signed on the screen; gives the id of the Consent.

    Raises:
        Malformed: a pad is empty. RuleViolation: a proxy without name, or another hand than the responsible doctor's.
    """
    agreement = form.consent(typed, patient, service.policy_of(store), store)
    if agreement.signature != _DRAWN:
        return str(store.put(to_consent(agreement))["id"])
    doctor = form.who(typed, "doctor")
    hands = _hands(store, agreement, doctor, typed)
    stored = store.put(to_consent(replace(agreement, signed=store.at)))
    keep_hands(store, to_signed(stored), doctor, hands)
    return str(stored["id"])


def _hands(store: Store, agreement: SignedConsent, doctor: str, typed: Typed) -> Mapping[Side, Hand]:
    person = to_person(follow(store, agreement.patient))
    by_patient = agreement.signer == "patient"
    name = person.name if by_patient else typed["signer_name"]
    if not name or not (by_patient or agreement.relation):
        raise RuleViolation("whoever signs for the patient gives name and relation", reason="homebed-signer-name", path="signer_name")
    drawings = {side: typed[f"drawing_{side}"] for side in Side}
    if not all(drawings.values()):
        raise Malformed("draw both signatures first", reason="signature-empty")
    names = {Side.PERSON: name, Side.DOCTOR: Directory(store).staff(f"Practitioner/{doctor}")}
    return {side: Hand(names[side], drawn(text)) for side, text in drawings.items()}


def _as_typed(store: Store, patient: str, typed: Typed) -> Bed:
    """The bed that the form describes, before there is one."""
    on, policy = today(store), service.policy_of(store)
    found = assessments.in_force(store, patient)
    stable = bool(typed["stable_illness"])
    return Bed(
        id="",
        patient=patient,
        status=Status.ACTIVE,
        kind=BedKind(typed["bed_kind"]) if typed["bed_kind"] in set(BedKind) else BedKind.TREATMENT,
        start=on,
        last_day=rules.last_day(on, policy),
        doctor=form.who(typed, "doctor"),
        nurse=form.who(typed, "nurse"),
        diagnosis=found[1].diagnosis if found else None,
        assessment=found[0] if found else "",
        consent="",
        stable=stable,
        round_days=interval(stable, False, policy),
    )
