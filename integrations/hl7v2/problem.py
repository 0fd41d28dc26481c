"""PPR: the problems that the hospital keeps for a person. REF: whom it sends to us. Text to values."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource
from integrations.hl7v2.adt import Diagnosis, diagnosis_of, name_and_number
from integrations.hl7v2.er7 import Message, Segment
from integrations.hl7v2.groups import Group, runs
from integrations.hl7v2.header import Header
from integrations.hl7v2.maps import care
from integrations.hl7v2.maps.orders import URGENCY
from integrations.hl7v2.maps.row import View, pour
from integrations.hl7v2.maps.take import V2_0203
from integrations.hl7v2.person import Demographics, demographics
from integrations.hl7v2.values import NOTHING_CODED, Coded, clean, coded, lines, moment
from integrations.hospitals.profile import Profile

PROBLEM_EVENTS = frozenset({"PC1", "PC2", "PC3"})
REFERRAL_EVENTS = {"I12": "new", "I13": "changed", "I14": "withdrawn"}
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CERTAINTY = {"P": "provisional", "PROVISIONAL": "provisional", "D": "differential", "DIFFERENTIAL": "differential", "REFUTED": "refuted"}
_CERTAINTY |= dict.fromkeys(("疑似", "疑诊", "待查", "可疑", "初步"), "provisional") | {"待排": "differential", "待排除": "differential"}
_CERTAINTY |= dict.fromkeys(("排除", "已排除", "除外"), "refuted")
_STAGES = {"inactive": "inactive", "静止": "inactive", "非活动": "inactive", "resolved": "resolved", "治愈": "resolved", "痊愈": "resolved"}
_STAGES |= {"recurrence": "recurrence", "复发": "recurrence", "remission": "remission", "缓解": "remission"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One PRB: the Condition without person and id."""

    number: str
    """PRB-4, else the code."""
    condition: Resource


@dataclass(frozen=True, slots=True)
class ProblemEvent:
    """One PPR message."""

    event: str
    person: Demographics
    problems: tuple[Problem, ...]
    sent: datetime | None


@dataclass(frozen=True, slots=True)
class Referred:
    """One REF message: somebody whom the hospital sends to the community."""

    event: str
    person: Demographics
    number: str
    """RF1-6, the sender's number of the referral."""
    ours: str
    """RF1-11: our own number, where it answers one of ours."""
    status: str
    """RF1-1 (table 0283) as sent."""
    urgent: bool | None
    """None where RF1-2 says nothing."""
    at: datetime | None
    kind: Coded = NOTHING_CODED
    reason: Coded = NOTHING_CODED
    summary: str = ""
    department: str = ""
    doctor: Coded = NOTHING_CODED
    diagnoses: tuple[Diagnosis, ...] = ()
    sent: datetime | None = None


def read_problems(message: Message, header: Header, profile: Profile, zone: tzinfo) -> ProblemEvent:
    """Read PPR^PC1 to PC3.

    Raises:
        Invalid: it has no PID or no PRB.
    """
    for name in ("PID", "PRB"):
        if name not in message:
            raise Invalid(f"the message has no {name} segment, so it tells no problem", path=name, reason="segment-missing")
    view = View(profile.hospital_of(header), zone, profile.nothing)
    sent = moment(message["MSH"][7].component(1).text, zone)
    return ProblemEvent(
        event=header.trigger,
        person=demographics(message, header, profile, zone),
        problems=tuple(_problem(group, header, view) for group in runs(message, "PRB", ("NTE",), closely=True)),
        sent=sent.at if sent else None,
    )


def _problem(group: Group, header: Header, view: View) -> Problem:
    prb = group.segments[0]
    made: Resource = {"resourceType": "Condition"}
    pour(made, prb, care.PRB_CONDITION, view, nulls=True)
    for nte in group.all("NTE"):
        pour(made, nte, care.NTE_CONDITION, view)
    made.setdefault("code", {"text": "未注明"})
    deleted = header.trigger == "PC3" or clean(prb[1].text).upper() == "DE"
    certainty = coded(prb[13], view.nothing)
    verified = next((_CERTAINTY[word] for word in (certainty.code.upper(), certainty.text.upper()) if word in _CERTAINTY), "confirmed")
    made["verificationStatus"] = {"coding": [{"system": _VERIFICATION, "code": "entered-in-error" if deleted else verified}]}
    if deleted:
        made.pop("abatementDateTime", None)
    else:  # R4 con-5: what was an error has no clinical status
        made["clinicalStatus"] = {"coding": [{"system": _CLINICAL, "code": _clinical(prb, made, view)}]}
    code = coded(prb[3], view.nothing)
    return Problem(clean(prb[4].component(1).text, view.nothing) or f"{code.code}|{code.text}", made)


def _clinical(prb: Segment, made: Resource, view: View) -> str:
    if "abatementDateTime" in made:
        return "resolved"
    stage = coded(prb[14], view.nothing)
    words = f"{stage.code} {stage.text}".lower()
    return next((code for word, code in _STAGES.items() if word in words and f"未{word}" not in words), "active")


@dataclass(frozen=True, slots=True)
class ReferralAnswer:
    """What a hospital says of a referral of ours (RRI)."""

    numbers: tuple[str, ...]
    """RF1-6 and RF1-11: one of them is ours, whichever side the hospital takes for the originating one."""
    status: str
    """RF1-1, table 0283: A accepted, R rejected, P pending, E expired; empty where there is no RF1."""
    reason: str


def read_referral_answer(message: Message, profile: Profile) -> ReferralAnswer:
    """Read RRI^I12 to I14; without RF1 it only says that the referral has arrived."""
    rf1, nothing = message["RF1"], profile.nothing
    numbers = (clean(rf1[n].component(1).text, nothing) for n in (6, 11))
    words = [_words(coded(rf1[10], nothing)), *(lines(one[3], nothing) for one in message.all("NTE"))]
    return ReferralAnswer(
        tuple(number for number in numbers if number),
        clean(rf1[1].component(1).text).upper(),
        "\n".join(dict.fromkeys(word for word in words if word)),
    )


def read_referral(message: Message, header: Header, profile: Profile, zone: tzinfo) -> Referred:
    """Read REF^I12 to I14.

    Raises:
        Invalid: it has no PID.
    """
    if "PID" not in message:
        raise Invalid("the message has no PID segment, so it refers nobody", path="PID", reason="segment-missing")
    nothing = profile.nothing
    rf1 = message["RF1"]
    reason, kind = coded(rf1[10], nothing), coded(rf1[3], nothing)
    view = View(profile.hospital_of(header), zone, nothing)
    diagnoses = tuple(diagnosis_of(segment, profile, view) for segment in message.all("DG1") if segment[3] or segment[4])
    notes = [words for segment in Group(tuple(message.segments)).notes() if (words := lines(segment[3], nothing))]
    sent, at = (moment(part.component(1).text, zone) for part in (message["MSH"][7], rf1[7]))
    provider = next((one for one in message.all("PRD")), Segment("PRD", "", message.cut))
    return Referred(
        event=header.trigger,
        person=demographics(message, header, profile, zone),
        number=clean(rf1[6].component(1).text, nothing) or clean(rf1[11].component(1).text, nothing),
        ours=clean(rf1[11].component(1).text, nothing),
        status=clean(rf1[1].component(1).text).upper(),
        urgent=_urgent(rf1, nothing),
        at=at.at if at else None,
        kind=kind,
        reason=reason,
        summary="\n".join(dict.fromkeys(words for words in (_words(reason), *(_words(d.code) for d in diagnoses), *notes) if words)),
        department=clean(message["PV1"][3].component(1).text, nothing) if "PV1" in message else "",
        doctor=name_and_number(provider, 2),
        diagnoses=diagnoses,
        sent=sent.at if sent else None,
    )


def _urgent(rf1: Segment, nothing: frozenset[str]) -> bool | None:
    """RF1-2 by its code or its words; any but routine is urgent."""
    said = [word for k in (1, 2) if (word := clean(rf1[2].component(k).text, nothing).upper())]
    return any(URGENCY.get(word, "routine") != "routine" for word in said) if said else None


def _words(code: Coded) -> str:
    return code.text or code.code


def numbered(kind: str, system: str, value: str) -> Resource:
    """An identifier typed by table 0203."""
    return {"type": {"coding": [{"system": V2_0203, "code": kind}]}, "system": system, "value": value}
