"""The green channel as one FHIR Flag per person, in a code system of its own."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from healthsvc.errors import Invalid
from healthsvc.fhir.elements import codes, coding, conforming, day, extension, extensions, period, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import BASE, code_system
from healthsvc.greenchannel.rules import REASON_NAMES, RIGHT_NAMES, Decision, Reason, Right

RIGHTS = code_system("green-channel")
"""Our priorities. Never a code that a hospital uses for "treat first, pay later"."""
CODE = f"{BASE}/NamingSystem/green-channel-code"
"""Identifier system of the hashes of QR codes."""
_CATEGORY = "http://terminology.hl7.org/CodeSystem/flag-category"


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a QR code: the hash of its secret and its last day; the secret itself stands nowhere."""

    digest: str
    until: date


@dataclass(frozen=True, slots=True)
class Channel:
    """One person's green channel as it stands."""

    patient: str
    decision: Decision
    withdrawn: bool = False
    granted_by: str | None = None
    """Practitioner id; None where a rule granted it."""
    token: Token | None = None
    """The QR code that holds now; making another ends this one."""
    withdrawn_for: str = ""
    """Why it was withdrawn, in words."""


def flag_id(patient: str) -> str:
    """The id of a person's Flag: one person, one Flag; its history tells the rest."""
    return f"greenchannel-{patient}"


def is_channel(resource: Resource | None) -> bool:
    """Whether a Flag is a green channel (another Flag is none of our business)."""
    return bool(resource) and resource is not None and resource.get("resourceType") == "Flag" and bool(codes(resource.get("code"), RIGHTS))


def to_flag(channel: Channel) -> Resource:
    """Write a channel as a Flag.

    Raises:
        Invalid: it gives no right, has no reason or does not say from which day it holds; such a Flag would mean nothing to a window.
    """
    decision = channel.decision
    if not decision.rights or not decision.reasons:
        raise Invalid("a green channel needs at least one right and one reason", path="Flag.code")
    if decision.valid_from is None:
        raise Invalid("a green channel needs the day from which it holds", path="Flag.period.start")
    rights = [right for right in Right if right in decision.rights]
    flag: Resource = {
        "resourceType": "Flag",
        "id": flag_id(channel.patient),
        "extension": [extension("green-channel-reason", valueCode=reason.value) for reason in decision.reasons],
        "status": "inactive" if channel.withdrawn else "active",
        "category": [{"coding": [coding(_CATEGORY, "admin", "Administrative")]}],
        "code": {
            "coding": [coding(RIGHTS, right.value, RIGHT_NAMES[right][0]) for right in rights],
            "text": "绿色通道:" + "、".join(RIGHT_NAMES[right][0] for right in rights) + f"({REASON_NAMES[decision.reasons[0]][0]})",
        },
        "subject": reference("Patient", channel.patient),
        "period": period(decision.valid_from, decision.valid_to),
    }
    if channel.token:
        flag["identifier"] = [{"system": CODE, "value": channel.token.digest, "period": {"end": channel.token.until.isoformat()}}]
    if channel.withdrawn_for:
        flag["extension"].append(extension("green-channel-withdrawn-for", valueString=channel.withdrawn_for))
    if channel.granted_by:
        flag["author"] = reference("Practitioner", channel.granted_by)
    return conforming(flag, "green-channel-flag")


def to_channel(flag: Resource) -> Channel:
    """Read a Flag as a channel.

    Raises:
        Invalid: a right or reason is not one of ours, or subject or period.start is missing; the path says which.
    """
    patient = reference_id(flag.get("subject"), "Patient")
    if patient is None:
        raise Invalid("a green channel belongs to a Patient; name one in Flag.subject", path="Flag.subject")
    span = flag.get("period") or {}
    if "start" not in span:
        raise Invalid("a green channel needs Flag.period.start, the day from which it holds", path="Flag.period.start")
    start, end = day(span["start"], "Flag.period.start"), day(span["end"], "Flag.period.end") if "end" in span else None
    if end is not None and end < start:
        raise Invalid("Flag.period ends before it starts", path="Flag.period")
    reasons = tuple(_reason(one.get("valueCode")) for one in extensions(flag, "green-channel-reason"))
    if not reasons:
        raise Invalid("a green channel needs its reason (extension green-channel-reason)", path="Flag.extension")
    rights = frozenset(_right(code) for code in codes(flag.get("code"), RIGHTS))
    codes_held = [one for one in flag.get("identifier", ()) if one.get("system") == CODE and "end" in one.get("period", {})]
    token = Token(codes_held[0]["value"], day(codes_held[0]["period"]["end"], "Flag.identifier.period.end")) if codes_held else None
    why = next((one.get("valueString", "") for one in extensions(flag, "green-channel-withdrawn-for")), "")
    author = reference_id(flag.get("author"), "Practitioner")
    return Channel(patient, Decision(rights, reasons, start, end), flag.get("status") != "active", author, token, why)


def birth_date(patient: Resource) -> date | None:
    """The birth date of a Patient; of a year or month alone it is the last day (nobody is made older)."""
    text = str(patient.get("birthDate", ""))
    if len(text) == 4:
        return date(int(text), 12, 31)
    if len(text) == 7:
        year, month = int(text[:4]), int(text[5:])
        return date(year, month, monthrange(year, month)[1])
    return date.fromisoformat(text) if len(text) == 10 else None


def _right(code: str) -> Right:
    try:
        return Right(code)
    except ValueError:
        raise Invalid(f"{code!r} is no green-channel right; use {', '.join(Right)}", path="Flag.code") from None


def _reason(code: object) -> Reason:
    try:
        return Reason(str(code))
    except ValueError:
        raise Invalid(f"{code!r} is no green-channel reason; use {', '.join(Reason)}", path="Flag.extension") from None
