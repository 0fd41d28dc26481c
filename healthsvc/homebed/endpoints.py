"""Home beds over HTTP: assess, establish, hold, take up again, discharge, and the documents of a bed."""

from dataclasses import asdict
from datetime import date
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import today
from healthsvc.homebed import service
from healthsvc.homebed.documents import documents
from healthsvc.homebed.rules.bed import BedKind, Discharge
from healthsvc.homebed.rules.eligibility import Assessment

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
def papers(bed: str, store: StoreReading) -> list[dict[str, Any]]:
    """The documents of a bed as they would be printed, section by section."""
    return [asdict(one) for one in documents(store, bed)]
