"""Home beds over HTTP: assess, establish, hold, take up again, discharge, and the documents of a bed."""

from dataclasses import asdict
from datetime import date
from typing import Any

from fastapi import APIRouter, Body, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import today
from healthsvc.homebed import applications, notes, plans, service
from healthsvc.homebed.papers import papers, pdf
from healthsvc.homebed.rules.application import Application, Stage
from healthsvc.homebed.rules.bed import BedKind, Discharge
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.homebed.rules.note import Note, NoteKind
from healthsvc.homebed.rules.plan import Goal, Item, Plan, PlanKind
from healthsvc.homebed.visits import next_round

router = APIRouter(prefix="/api/homebed", tags=["家庭病床 Home beds"])


class Wanted(BaseModel):
    """A bed to be established."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    patient: str
    assessment: Assessment | str = Field(description="As found, or the id of the ClinicalImpression that keeps it")
    consent: SignedConsent | str = Field(description="As signed, or the id of the Consent")
    doctor: str = Field(description="Practitioner id")
    nurse: str = Field(description="Practitioner id")
    on: date | None = None
    kind: BedKind = BedKind.TREATMENT
    stable: bool = False
    previous: str | None = None


class PlanWanted(BaseModel):
    """A plan: ``items`` of a treatment plan, ``goals`` of a nursing plan."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    author: str = Field(description="Practitioner id")
    items: tuple[Item, ...] = ()
    goals: tuple[Goal, ...] = ()


class NoteWanted(BaseModel):
    """A note; ``sections`` by their codes (CodeSystem home-bed-note-section)."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kind: NoteKind
    author: str = Field(description="Practitioner id")
    sections: dict[str, str]
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    visit: str | None = None


class Hold(BaseModel):
    """Whose bed, and why it is held."""

    model_config = ConfigDict(extra="forbid")

    patient: str
    reason: str = Field("away", min_length=1, max_length=64)


class Stable(BaseModel):
    """Whether the illness is stable."""

    model_config = ConfigDict(extra="forbid")

    stable: bool


@router.post("/assess")
def assess(found: Assessment, store: StoreWriting) -> dict[str, Any]:
    """Keep an assessment, and say whether a bed is possible and what speaks against it."""
    kept, eligibility = service.assess(store, found)
    return {
        "assessment": kept["id"],
        "fits": eligibility.fits,
        "issues": [{"reason": code, "text": text} for code, text in eligibility.issues],
    }


@router.post("", status_code=201)
def establish(wanted: Wanted, store: StoreWriting) -> Resource:
    """Establish a bed; gives the EpisodeOfCare. Its rounds are asked for in the same step."""
    rest = {"kind": wanted.kind, "stable": wanted.stable, "previous": wanted.previous}
    on = wanted.on or today(store)
    return service.establish(store, wanted.patient, wanted.assessment, wanted.consent, wanted.doctor, wanted.nurse, on, **rest)  # type: ignore[arg-type]


@router.get("/ending")
def ending(store: StoreReading, on: date | None = None) -> list[dict[str, Any]]:
    """Beds whose last day is near or has passed."""
    return [
        {"bed": one.bed.id, "patient": one.bed.patient, "days_left": one.days_left} for one in service.ending(store, on or today(store))
    ]


@router.post("/suspend")
def suspend(hold: Hold, store: StoreWriting) -> dict[str, Any] | None:
    """Put a person's bed on hold."""
    bed = service.suspend(store, hold.patient, hold.reason)
    return asdict(bed) if bed else None


@router.post("/resume")
def resume(hold: Hold, store: StoreWriting) -> dict[str, Any] | None:
    """Take a person's bed up again."""
    bed = service.resume(store, hold.patient)
    return asdict(bed) if bed else None


@router.get("/{bed}")
def read(bed: str, store: StoreReading) -> dict[str, Any]:
    """One bed."""
    return asdict(service.read(store, bed))


@router.post("/{bed}/stable")
def mark_stable(bed: str, wanted: Stable, store: StoreWriting) -> Resource:
    """Say whether the illness is stable; the rounds follow."""
    return service.mark_stable(store, bed, wanted.stable)


@router.post("/{bed}/blockers")
def blockers(bed: str, how: Discharge, store: StoreReading) -> list[dict[str, str]]:
    """What stands against a discharge; nothing is written."""
    return [{"reason": code, "text": text} for code, text in service.blockers(store, service.read(store, bed), how)]


@router.post("/{bed}/discharge")
def discharge(bed: str, how: Discharge, store: StoreWriting) -> Resource:
    """Close a bed."""
    return service.discharge(store, bed, how)


@router.get("/{bed}/documents")
def documents(bed: str, store: StoreReading) -> list[dict[str, Any]]:
    """The documents of a bed as they would be printed, section by section."""
    return [{"name": name} | one.declared() for name, one in papers(store, bed).items()]


@router.get("/{bed}/documents/{name}.pdf")
def document(bed: str, name: str, store: StoreReading) -> Response:
    """One document of a bed as PDF; the agreement as it was frozen."""
    return Response(pdf(store, bed, name), media_type="application/pdf")


@router.get("/{bed}/next-round")
def next_one(bed: str, store: StoreReading) -> dict[str, Any]:
    """When the doctor should come again, and why; a suggestion."""
    found = service.read(store, bed)
    return asdict(next_round(store, found, service.infusing(store, found.patient)))


@router.post("/applications", status_code=201)
def apply(asked: Application, store: StoreWriting) -> Resource:
    """Apply for a bed; a draft is kept, anything else is submitted."""
    return applications.apply(store, asked)


@router.post("/applications/{task}/{stage}")
def move_on(task: str, stage: Stage, store: StoreWriting, remark: str = Body("", embed=True)) -> Resource:
    """Submit an application, send it back with what is missing, or withdraw it."""
    return applications.move_on(store, task, stage, remark)


@router.put("/{bed}/plans/{kind}")
def plan(bed: str, kind: PlanKind, wanted: PlanWanted, store: StoreWriting) -> Resource:
    """Keep the treatment plan or the nursing plan of a bed."""
    known = service.read(store, bed)
    return plans.keep_plan(store, Plan(known.id, known.patient, kind, wanted.author, today(store), wanted.items, wanted.goals))


@router.post("/{bed}/notes", status_code=201)
def note(bed: str, wanted: NoteWanted, store: StoreWriting) -> Resource:
    """Write a round note, a nursing note, what completes the front page, or a hand-over."""
    known = service.read(store, bed)
    start, end = wanted.start or store.at, wanted.end or wanted.start or store.at
    sections = tuple(wanted.sections.items())
    id = notes.note_id(known.id, wanted.kind)
    return notes.keep_note(
        store, Note(id, known.id, known.patient, wanted.kind, wanted.author, store.at, start, end, sections, wanted.visit)
    )
