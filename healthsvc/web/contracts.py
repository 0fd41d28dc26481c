"""签约 my signed persons, what was given first; one contract: signed on the screen, printed, renewed, handed over, ended."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, File, Form, Response, UploadFile
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from healthsvc.access.door import StoreNearby, StoreReading, StoreWriting, needs
from healthsvc.contract import cards, delivery, leaving, renewal, service
from healthsvc.contract.endpoints import Drawn, SignatureGiven, signed_of
from healthsvc.contract.found import running
from healthsvc.contract.fulfilment import Fulfilment, together
from healthsvc.contract.paper import KIND_WORDS, SCAN, contract_paper, service_name
from healthsvc.contract.resources import is_family_doctor, to_agreement
from healthsvc.contract.rules import Agreement, EndReason, Side, SignatureKind, State
from healthsvc.documents import Drawing, frozen_of, pdf_of
from healthsvc.documents.render import to_pdf
from healthsvc.documents.resources import PDF, content_type_of
from healthsvc.errors import Malformed, NotFound
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import today
from healthsvc.store import Store
from healthsvc.web.lookup import Directory, by_role, staff_of
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.sealed import sealed_about
from healthsvc.web.today import mine_of

router = APIRouter()
_MANY: Final = 60
STATE_NAMES: Final = {
    State.DRAFT: "草稿", State.PENDING_SIGNATURE: "待签字", State.ACTIVE: "履约中", State.RENEWED: "已续约", State.EXPIRED: "已到期",
    State.TERMINATED: "已解约", State.TRANSFERRED: "已转签",
}  # fmt: skip
END_REASONS: Final = (
    (EndReason.OWN_WISH, "本人意愿"), (EndReason.MOVED_AWAY, "迁出"), (EndReason.LOST, "失访"),
    (EndReason.UNREACHABLE_A_YEAR, "一年联系不上"), (EndReason.REFUSED_A_YEAR, "一年拒绝服务"), (EndReason.OTHER, "其他"),
)  # fmt: skip
PACKAGE_NAMES: Final = {"basic": "基础包", "chronic": "慢病包", "home-care": "居家照护包"}


@dataclass(frozen=True, slots=True)
class Row:
    """One signed person in the list."""

    agreement: Agreement
    person: Person
    doctor: str
    fulfilment: Fulfilment
    ends_in: int
    """Days to the last day of the term."""


@router.get("/contracts")
def contracts(
    page: SignedPage, store: StoreNearby, all: bool = False, show: str = "", start: int = 0, taken: int | None = None, left: int = 0
) -> Response:
    """Those whom one looks after under contract; who is owed most comes first."""
    mine = None if all else mine_of(page)
    on = today(store)
    ours = [one for one in running(store, on) if mine is None or one.doctor == mine]
    counted = delivery.fulfilments(store, ours, on)
    ending = {one.id for one in renewal.to_renew(store, on)}
    pending = [one for one in _pending(store) if mine is None or one.doctor == mine]
    behind = [one for one in ours if counted[one.id].missing]
    chosen = {"renew": [one for one in ours if one.id in ending], "behind": behind, "pending": pending}.get(show, ours)
    chosen = sorted(chosen, key=lambda one: (-counted[one.id].missing if one.id in counted else 0, one.end, one.id))
    shown, names = chosen[max(start, 0) : start + _MANY], Directory(store)
    none = Fulfilment(())
    rows = [Row(one, names.person(one.person), names.staff(one.doctor), counted.get(one.id, none), (one.end - on).days) for one in shown]
    return page.show(
        "contracts.html", rows=rows, whole=together(counted.values()), mine=mine, everybody=all, show=show, start=start, many=_MANY,
        total=len(chosen), signed=len(ours), ending=len(ending & set(counted)), pending=len(pending), behind=len(behind),
        service_name=service_name, doctors=by_role(store, "doctor"), nurses=by_role(store, "nurse"), taken=taken, left=left,
    )  # fmt: skip


@router.post("/contracts/take-over", dependencies=[needs("plan")])
def take_over(
    store: StoreWriting, doctor: Annotated[str, Form()], successor: Annotated[str, Form()], nurse: Annotated[str, Form()] = ""
) -> Response:
    """A doctor leaves: draft for everybody of theirs a contract with another doctor; their visits go at once."""
    done = leaving.take_over(store, doctor, successor, nurse or None)
    return RedirectResponse(f"/contracts?show=pending&all=true&taken={len(done.drafted)}&left={done.left}", status_code=303)


@router.get("/contracts/{id}")
def contract(id: str, page: SignedPage, store: StoreReading) -> Response:
    """One contract: what was promised and given first."""
    return _show(page, store, id)


@router.post("/contracts/{id}/signature")
def sign(
    id: str,
    page: SignedPage,
    store: StoreWriting,
    side: Annotated[Side, Form()],
    kind: Annotated[SignatureKind, Form()] = SignatureKind.DRAWN,
    name: Annotated[str, Form(max_length=60)] = "",
    relation: Annotated[str, Form(max_length=60)] = "",
    drawing: Annotated[str, Form(max_length=200_000)] = "",
) -> Response:
    """One side signs, with the finger, a pen or the mouse; or what was signed on paper is recorded."""
    if kind is SignatureKind.DRAWN and not drawing:
        raise Malformed("draw the signature first", reason="signature-empty")
    given = SignatureGiven(side=side, kind=kind, name=name, relation=relation, drawing=strokes_of(drawing) if drawing else None)
    service.add_signature(store, id, signed_of(given, store.at))
    return RedirectResponse(f"/contracts/{id}", status_code=303)


@router.post("/contracts/{id}/renew")
def renew(id: str, store: StoreWriting) -> Response:
    """Lay the next term before both sides; the present contract goes on until they have signed."""
    following = service.draft_successor(store, id)
    return RedirectResponse(f"/contracts/{following['id']}", status_code=303)


@router.post("/contracts/{id}/transfer")
def transfer(id: str, store: StoreWriting, doctor: Annotated[str, Form()], nurse: Annotated[str, Form()] = "") -> Response:
    """Lay a contract with another doctor before both sides; the present one goes on until they have signed."""
    made = service.draft_successor(store, id, doctor, nurse or None)
    return RedirectResponse(f"/contracts/{made['id']}", status_code=303)


@router.post("/contracts/{id}/terminate")
def terminate(id: str, store: StoreWriting, reason: Annotated[EndReason, Form()]) -> Response:
    """End it today; a draft is withdrawn."""
    service.terminate(store, id, reason, today(store))
    return RedirectResponse(f"/contracts/{id}", status_code=303)


@router.post("/contracts/{id}/consultation")
def consult(
    id: str, page: SignedPage, store: StoreWriting, about: Annotated[str, Form(min_length=1, max_length=500)], by: Annotated[str, Form()]
) -> Response:
    """Record a consultation by phone, given just now."""
    delivery.consult(store, id, store.at, by, about)
    return RedirectResponse(f"/contracts/{id}", status_code=303)


@router.post("/contracts/{id}/card")
def card(id: str, store: StoreWriting) -> Response:
    """Issue the contact card anew where what stands on it has changed, and show it."""
    entry = cards.issue(store, service.must_be_active(store, id))
    return RedirectResponse(f"/documents/{entry['id']}.pdf", status_code=303)


@router.post("/contracts/{id}/scan")
def scan(id: str, store: StoreWriting, file: Annotated[UploadFile, File()]) -> Response:
    """Keep the scan of what was signed on paper."""
    service.add_scan(store, id, file.file.read())
    return RedirectResponse(f"/contracts/{id}", status_code=303)


@router.get("/contracts/{id}/paper.pdf")
def paper(id: str, store: StoreReading) -> Response:
    """The contract to be read, or printed and signed by hand."""
    agreement = service.read(store, id)
    store.audit("print", f"Contract/{id}", patient=agreement.person)
    return Response(to_pdf(contract_paper(store, agreement, store.at)), media_type=PDF)


@router.get("/documents/{id}.pdf")
def document(id: str, store: StoreReading) -> Response:
    """A frozen document, to the byte as it was sealed."""
    content, entry = pdf_of(store, id)
    return Response(content, media_type=content_type_of(entry))


@router.get("/cards/{token}")
def scanned(token: str, page: SignedPage, store: StoreReading) -> Response:
    """Where the code on a contact card leads whoever is signed in and may read files."""
    return _lead_on(page, store, cards.resolve(store, token))


def _lead_on(page: Page, store: Store, found: cards.Card) -> Response:
    if found.current:
        return RedirectResponse(f"/people/{found.person}", status_code=303)
    return page.show("old_card.html", found=found, person=Directory(store).person(found.person))


@router.get("/cards")
def ask_card(page: SignedPage, _store: StoreReading) -> Response:
    """A field for a scanner that types, or for the code typed by hand."""
    return page.show("ask_card.html", wrong="")


@router.post("/cards")
def find_card(page: SignedPage, store: StoreReading, token: Annotated[str, Form(max_length=300)] = "") -> Response:
    """Go to whoever's card it is; the code travels in the body."""
    try:
        return _lead_on(page, store, cards.resolve(store, token))
    except NotFound as refusal:
        return page.show("ask_card.html", status=422, wrong=page.told(refusal))


def _show(page: Page, store: Store, id: str) -> Response:
    agreement, names = service.read(store, id), Directory(store)
    patient = store.read("Patient", agreement.person)
    store.audit("read", f"Contract/{id}", patient=agreement.person, purpose="contract")
    sides = {"doctor" if one.side is Side.DOCTOR else "person": one for one in agreement.signatures}
    open_for_signature = agreement.state in (State.DRAFT, State.PENDING_SIGNATURE)
    in_force = agreement.state is State.ACTIVE
    held = cards.current_card(store, agreement.person) if in_force else None
    return page.show(
        "contract.html",
        id=id,
        agreement=agreement,
        person=to_person(patient),
        doctor=names.staff(agreement.doctor),
        nurse=names.staff(agreement.nurse),
        state=STATE_NAMES[agreement.state],
        fulfilment=None if open_for_signature else delivery.fulfilment(store, id),
        service_name=service_name,
        sides=sides,
        kind_words=KIND_WORDS,
        open_for_signature=open_for_signature,
        own_hand=mine_of(page) == agreement.doctor,
        documents=sealed_about(store, f"Contract/{id}"),
        card=held,
        card_stale=in_force and cards.is_stale(store, agreement, held),
        successor=_successor(store, agreement),
        staff=staff_of(store) if in_force else [],
        doctors=by_role(store, "doctor") if in_force else [],
        nurses=by_role(store, "nurse") if in_force else [],
        me=mine_of(page),
        reasons=END_REASONS,
        package=PACKAGE_NAMES.get(agreement.package, agreement.package),
        in_force=in_force,
        on_paper=any(one.kind is SignatureKind.WET_SCAN for one in agreement.signatures),
        scanned=bool(frozen_of(store, f"Contract/{id}", SCAN)),
    )


def _successor(store: Store, agreement: Agreement) -> Agreement | None:
    """The contract that follows, in force or waiting for its signatures."""
    found: Sequence[Agreement] = [to_agreement(one) for one in store.select("Contract", patient=agreement.person) if is_family_doctor(one)]
    alive = (State.PENDING_SIGNATURE, State.DRAFT, State.ACTIVE)
    return next((one for one in found if one.predecessor == f"Contract/{agreement.id}" and one.state in alive), None)


def drafts_of(store: Store, person: str) -> list[Agreement]:
    """The contracts of a person that wait for signatures."""
    return [one for one in _pending(store) if one.person == person]


def _pending(store: Store) -> list[Agreement]:
    found = store.select("Contract", status=["negotiable", "offered", "executable"])
    return [to_agreement(one) for one in found if is_family_doctor(one)]


def drawn(text: str) -> Drawing:
    """What a pad of ``sign.js`` has sent.

    Raises:
        Malformed: it is not what a pad sends. Invalid: no hand has drawn that.
    """
    strokes = strokes_of(text)
    return Drawing(strokes.width, strokes.height, tuple(tuple(stroke) for stroke in strokes.strokes))


def strokes_of(text: str) -> Drawn:
    """What a pad has sent, as the door of contracts takes it.

    Raises:
        Malformed: it is not what a pad sends.
    """
    try:
        return Drawn.model_validate(json.loads(text))
    except (ValidationError, ValueError):
        raise Malformed("the drawn signature cannot be read; draw it again", reason="signature-empty") from None
