"""Family-doctor contracts over HTTP: draft, sign, transfer, renew, terminate; promised and delivered; the contact card."""

from base64 import b64decode
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, File, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.contract import cards, delivery, renewal, service
from healthsvc.contract.found import running
from healthsvc.contract.paper import SVG, contract_paper
from healthsvc.contract.rules import EndReason, Side, SignatureKind, Signed
from healthsvc.documents import Drawing
from healthsvc.documents.render import to_pdf
from healthsvc.documents.resources import PDF
from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import today

router = APIRouter(prefix="/api/contract", tags=["家庭医生签约 Family-doctor contract"])


class Draft(BaseModel):
    """A contract to be laid before both sides."""

    model_config = ConfigDict(extra="forbid")

    patient: str
    doctor: str = Field(description="Practitioner/id")
    nurse: str | None = Field(None, description="Practitioner/id")
    start: date | None = Field(None, description="First day; today unless told")
    months: int | None = Field(None, ge=1, le=60)
    package: str = "basic"
    number: str = ""


class Signing(Draft):
    """A contract to be signed by both sides now."""

    kind: SignatureKind = SignatureKind.DRAWN


class Drawn(BaseModel):
    """Strokes of a signature: points inside a box."""

    model_config = ConfigDict(extra="forbid")

    width: int
    height: int
    strokes: list[list[tuple[int, int]]] = Field(max_length=500)


class SignatureGiven(BaseModel):
    """One side signs. A drawn signature brings its strokes, a certified one its proof."""

    model_config = ConfigDict(extra="forbid")

    side: Side
    kind: SignatureKind = SignatureKind.DRAWN
    name: str = Field("", max_length=60, description="Of a proxy")
    relation: str = Field("", max_length=60, description="Of a proxy to the person")
    drawing: Drawn | None = None
    proof: str = Field("", max_length=200_000, description="Base64 of the certified signature")
    format: str = Field("", max_length=80, description="Media type of the proof, such as application/jose")


class Consultation(BaseModel):
    """A consultation that was given under a contract."""

    model_config = ConfigDict(extra="forbid")

    at: datetime | None = Field(None, description="Now unless told")
    by: str = Field(description="Practitioner/id")
    about: str = Field(min_length=1, max_length=500)
    remote: bool = True


class Transfer(BaseModel):
    """Another doctor from a day on."""

    model_config = ConfigDict(extra="forbid")

    doctor: str
    nurse: str | None = None
    start: date | None = None
    kind: SignatureKind = SignatureKind.DRAWN


class Ending(BaseModel):
    """Why and on which day a contract ends early."""

    model_config = ConfigDict(extra="forbid")

    reason: EndReason
    on: date | None = None


@router.post("/sign", status_code=201)
def sign(wanted: Signing, store: StoreWriting, answer: Response) -> Resource:
    """Sign a contract; gives the Contract. The quarterly checkups of its term are asked for in the same step.

    The same signing again (person, doctor, first day) changes nothing and answers 200 instead of 201.
    """
    start = wanted.start or today(store)
    if (same := service.signed_already(store, wanted.patient, wanted.doctor, start)) is not None:
        answer.status_code = 200
        return same
    terms = {"months": wanted.months, "package": wanted.package, "number": wanted.number, "kind": wanted.kind}
    return service.sign(store, wanted.patient, wanted.doctor, wanted.nurse, start, **terms)  # type: ignore[arg-type]


@router.post("/draft", status_code=201)
def draft(wanted: Draft, store: StoreWriting) -> Resource:
    """Draft a contract and lay it before both sides; gives the Contract, which waits for their signatures."""
    terms = {"months": wanted.months, "package": wanted.package, "number": wanted.number}
    drafted = service.draft(store, wanted.patient, wanted.doctor, wanted.nurse, wanted.start or today(store), **terms)  # type: ignore[arg-type]
    return service.offer(store, drafted)


@router.get("/{contract}/paper")
def paper(contract: str, store: StoreReading) -> Response:
    """The contract to be read and signed, as PDF with the signatures that it has; not frozen. The signed one is a frozen document."""
    agreement = service.read(store, contract)
    store.audit("print", f"Contract/{contract}", patient=agreement.person)
    return Response(to_pdf(contract_paper(store, agreement, store.at)), media_type=PDF)


@router.post("/{contract}/signatures")
def add_signature(contract: str, given: SignatureGiven, store: StoreWriting) -> Resource:
    """One side signs; with the second signature the contract is in force and its document is frozen. Gives the Contract."""
    return service.add_signature(store, contract, signed_of(given, store.at))


def signed_of(given: SignatureGiven, at: datetime) -> Signed:
    """A signature as it came in.

    Raises:
        Invalid: the strokes are not those of a hand, or the proof is no base64.
    """
    data, kind = b"", given.format
    if given.drawing is not None:
        strokes = tuple(tuple(stroke) for stroke in given.drawing.strokes)
        data, kind = Drawing(given.drawing.width, given.drawing.height, strokes).svg().encode(), SVG
    elif given.proof:
        try:
            data = b64decode(given.proof, validate=True)
        except ValueError:
            raise Invalid("the proof of a certified signature is base64", path="proof") from None
    return Signed(given.side, given.kind, at, given.name.strip(), given.relation.strip(), data, kind if data else "")


@router.post("/{contract}/scan", status_code=201)
def scan(contract: str, file: Annotated[UploadFile, File()], store: StoreWriting) -> Resource:
    """Keep the scan (PDF, JPEG, PNG) of a contract that was signed on paper, frozen; gives its DocumentReference."""
    return service.add_scan(store, contract, file.file.read())


@router.post("/{contract}/consultations", status_code=201)
def consult(contract: str, given: Consultation, store: StoreWriting) -> Resource:
    """Record a consultation by phone or at the station; it counts as delivered. Gives the Encounter."""
    return delivery.consult(store, contract, given.at or store.at, given.by, given.about, remote=given.remote)


@router.post("/{contract}/card")
def issue_card(contract: str, store: StoreWriting) -> Resource:
    """Issue the contact card anew if what stands on it has changed; gives the DocumentReference of the current card."""
    return cards.issue(store, service.must_be_active(store, contract))


@router.get("/cards/{token}")
def card(token: str, store: StoreReading) -> dict[str, Any]:
    """Whose contact card carries this code, and whether the card is still good. Only for whoever may read files."""
    found = cards.resolve(store, token)
    return {"document": found.id, "patient": found.person, "current": found.current}


@router.post("/{contract}/transfer", status_code=201)
def transfer(contract: str, wanted: Transfer, store: StoreWriting) -> Resource:
    """Hand the person over to another doctor; gives the new Contract."""
    return service.transfer(store, contract, wanted.doctor, wanted.nurse, wanted.start or today(store), kind=wanted.kind)


@router.post("/{contract}/renew", status_code=201)
def renew(contract: str, store: StoreWriting) -> Resource:
    """Sign on for another term; gives the new Contract."""
    return service.renew(store, contract)


@router.post("/{contract}/terminate")
def terminate(contract: str, ending: Ending, store: StoreWriting) -> Resource:
    """End a contract before its term; gives the Contract."""
    return service.terminate(store, contract, ending.reason, ending.on or today(store))


@router.get("/{contract}/fulfilment")
def fulfilment(contract: str, store: StoreReading, on: date | None = None) -> dict[str, Any]:
    """What the contract promised and what has been delivered, item by item."""
    store.audit("read", f"Contract/{contract}")
    counted = delivery.fulfilment(store, contract, on)
    told = {"promised": counted.promised, "delivered": counted.delivered, "due": counted.due, "missing": counted.missing}
    return asdict(counted) | told | {"rate": counted.rate, "rate_so_far": counted.rate_so_far}


@router.get("/running")
def running_now(store: StoreReading, doctor: str | None = None) -> list[dict[str, Any]]:
    """Everybody under contract today (of one doctor, ``Practitioner/x``), whoever is owed most first; promised, delivered and due."""
    on = today(store)
    ours = [one for one in running(store, on) if doctor is None or one.doctor == doctor]
    counted = delivery.fulfilments(store, ours, on)
    for one in ours:
        store.audit("read", f"Contract/{one.id}", patient=one.person, purpose="list")
    return [
        {"contract": one.id, "patient": one.person, "doctor": one.doctor, "start": one.start.isoformat(), "end": one.end.isoformat(),
         "promised": counted[one.id].promised, "delivered": counted[one.id].delivered, "due": counted[one.id].due,
         "missing": counted[one.id].missing}
        for one in sorted(ours, key=lambda one: (-counted[one.id].missing, one.end, one.id))
    ]  # fmt: skip


@router.get("/to-renew", dependencies=[needs("plan")])
def to_renew(store: StoreReading, on: date | None = None) -> list[dict[str, Any]]:
    """The contracts that end soon."""
    ending = renewal.to_renew(store, on or today(store))
    return [{"contract": one.id, "patient": one.person, "doctor": one.doctor, "end": one.end.isoformat()} for one in ending]
