"""绿色通道 Grant, withdraw and renew the green channel, and answer the hospital window."""

import secrets
from base64 import b32encode
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import sha256

from healthsvc.errors import NotFound, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID
from healthsvc.greenchannel import rules
from healthsvc.greenchannel.disclosure import Asks, unless_forbidden
from healthsvc.greenchannel.resources import CODE, Channel, Token, birth_date, flag_id, is_channel, to_channel, to_flag
from healthsvc.greenchannel.rules import Answer, Cadre, GreenChannelPolicy, Reason, ReviewReason, Right, Standing
from healthsvc.healthfile import citizen_id
from healthsvc.healthfile.resources import is_deceased, to_person
from healthsvc.healthfile.service import follow, identify, replaced, today
from healthsvc.store import Store


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What the daily look at all files changed, as ids of Patients."""

    granted: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MadeCode:
    """A QR code as it is given out: its content, which says nothing about the person, and its last day."""

    text: str
    until: date


@dataclass(frozen=True, slots=True)
class Review:
    """A channel to be looked at, and why."""

    channel: Channel
    why: ReviewReason


CODE_MARK = "HSGC:"
"""What a QR code begins with, so that a window knows it from a number."""
CODE_BYTES = 20


def policy_of(store: Store, on: date) -> GreenChannelPolicy:
    """The green channel policy in force on a day."""
    return store.policy.fill(GreenChannelPolicy, "greenchannel", on)


def cadre_of(patient: Resource, policy: GreenChannelPolicy) -> Cadre:
    """What entitlement depends on, read from a Patient."""
    person = to_person(patient)
    tags = {tag.code for tag in person.tags}
    return Cadre(
        category=person.category.value if person.category else None,
        birth=birth_date(patient),
        disabled=bool(tags & set(policy.disability_tags)),
        veteran=bool(tags & set(policy.veteran_tags)),
        deceased=is_deceased(patient),
    )


def grant(
    store: Store, patient: str, on: date, *, rights: Iterable[Right] | None = None, reason: Reason | None = None, by: str | None = None
) -> Resource:
    """Open a person's green channel and give the Flag; granting what is already in force changes nothing.

    Without ``rights`` the rules decide. With ``rights`` somebody decides one by one: ``by`` (a Practitioner id) is then needed.

    Raises:
        RuleViolation: not entitled (``greenchannel-not-entitled``), deceased, or granted one by one by nobody.
    """
    file = follow(store, patient)
    policy = policy_of(store, on)
    if is_deceased(file):
        raise RuleViolation("the file says that the person has died; nothing is granted", reason="greenchannel-deceased")
    if rights is not None:
        if not by:
            raise RuleViolation(
                "a green channel that no rule gives needs the name of whoever approves it", reason="greenchannel-no-approver"
            )
        decision = rules.grant(rights, (reason or Reason.OTHER,), on, policy)
    else:
        decision = rules.decide(cadre_of(file, policy), on, policy)
        if not decision.entitled:
            raise RuleViolation(
                "no rule entitles the person: neither 离休, nor age, disability or veteran status is on file",
                reason="greenchannel-not-entitled",
            )
    current = channel_of(store, file["id"])
    if current is not None and not current.withdrawn and rules.in_force(current.decision, on):
        if (current.decision.rights, current.decision.reasons) == (decision.rights, decision.reasons):
            return store.read("Flag", flag_id(current.patient))
        decision = replace(decision, valid_from=current.decision.valid_from)
    return store.put(to_flag(Channel(file["id"], decision, granted_by=by, token=_kept_token(current))))


def renew(store: Store, patient: str, on: date) -> Resource:
    """Put a green channel into force for another term from a day on; the rules are asked again, or the approver's grant is repeated.

    Raises:
        NotFound: there is none. RuleViolation: withdrawn, or no longer entitled.
    """
    file = follow(store, patient)
    channel = channel_of(store, file["id"])
    if channel is None:
        raise NotFound("the person has no green channel to renew; grant one")
    if channel.withdrawn:
        raise RuleViolation("the green channel was withdrawn; grant it anew", reason="greenchannel-withdrawn")
    if is_deceased(file):
        raise RuleViolation("the file says that the person has died; nothing is renewed", reason="greenchannel-deceased")
    policy = policy_of(store, on)
    if channel.granted_by:
        decision = rules.grant(channel.decision.rights, channel.decision.reasons, on, policy)
    else:
        decision = rules.decide(cadre_of(file, policy), on, policy)
        if not decision.entitled:
            raise RuleViolation("the person is no longer entitled; withdraw the green channel", reason="greenchannel-not-entitled")
    if rules.in_force(channel.decision, on):
        decision = replace(decision, valid_from=channel.decision.valid_from)
    return store.put(to_flag(Channel(file["id"], decision, granted_by=channel.granted_by, token=channel.token)))


def withdraw(store: Store, patient: str, on: date, why: str = "") -> Resource:
    """Close a person's green channel on a day, with the reason in words; closing it twice changes nothing. Its QR code ends too."""
    for one in _files(store, patient):
        flag = store.find("Flag", flag_id(one))
        if flag is None or not is_channel(flag):
            continue
        channel = to_channel(flag)
        if channel.withdrawn:
            return flag
        start = channel.decision.valid_from or on
        decision = replace(channel.decision, valid_to=min(channel.decision.valid_to or on, max(on, start)))
        return store.put(to_flag(replace(channel, decision=decision, withdrawn=True, withdrawn_for=why.strip(), token=None)))
    raise NotFound("the person has no green channel to withdraw")


def channel_of(store: Store, patient: str) -> Channel | None:
    """A person's green channel, also where it stands under a file that was merged into this one."""
    found = [to_channel(flag) for one in _files(store, patient) if (flag := store.find("Flag", flag_id(one))) and is_channel(flag)]
    return min(found, key=lambda channel: channel.withdrawn, default=None)


def answer(
    store: Store, identifier_system: str, value: str, on: date | None = None, purpose: str = "hospital-window", asks: Asks | None = None
) -> Answer:
    """Tell a hospital window where the person with this number stands on a day; every question is noted in the audit.

    Merged files lead to the surviving one. Unknown, not entitled, expired, withdrawn and deceased are different answers. A hospital that
    the person does not want to be told is answered like one that nobody knows; a code that the person shows there is their own word.

    Raises:
        Invalid: the number is no citizen id, though it was given as one.
        Conflict: the number stands in several files that are not merged.
    """
    day = on or today(store)
    if identifier_system == CODE:
        return _noted(store, by_code(store, value, day), purpose)
    number = citizen_id.read(value, day).number if identifier_system == CITIZEN_ID else value.strip()
    file = identify(store, [(identifier_system, number)])
    told = answer_for(store, file["id"], day) if file else rules.answer(None, False, None, False, day)
    return _noted(store, unless_forbidden(store, told, asks), purpose)


def answer_noted(store: Store, patient: str, purpose: str, asks: Asks | None = None) -> Answer:
    """Where a person stands today, by the id of the file, for somebody outside; noted in the audit."""
    return _noted(store, unless_forbidden(store, answer_for(store, patient, today(store)), asks), purpose)


def _noted(store: Store, told: Answer, purpose: str) -> Answer:
    store.audit(
        "green-channel",
        f"Flag/{flag_id(told.patient)}" if told.patient else None,
        patient=told.patient,
        outcome=told.standing.value,
        purpose=purpose,
    )
    return told


def answer_for(store: Store, patient: str, on: date) -> Answer:
    """Where a person stands on a day, by the id of the file."""
    file = follow(store, patient)
    channel = channel_of(store, file["id"])
    return rules.answer(file["id"], is_deceased(file), channel.decision if channel else None, bool(channel and channel.withdrawn), on)


def make_code(store: Store, patient: str, on: date) -> MadeCode:
    """Make a QR code of a person's green channel; the one before ends with it. Only the hash of its secret is kept.

    Raises:
        NotFound: there is no green channel. RuleViolation: it is not in force, so that a code would open nothing.
    """
    channel = channel_of(store, str(follow(store, patient)["id"]))
    if channel is None:
        raise NotFound("the person has no green channel; grant one")
    if channel.withdrawn or not rules.in_force(channel.decision, on):
        raise RuleViolation("the green channel is not in force; renew or grant it", reason="greenchannel-not-in-force")
    until = on + timedelta(days=policy_of(store, on).code_days)
    if channel.decision.valid_to is not None:
        until = min(until, channel.decision.valid_to)
    secret = b32encode(secrets.token_bytes(CODE_BYTES)).decode().rstrip("=")
    store.put(to_flag(replace(channel, token=Token(_digest(secret), until))))
    return MadeCode(f"{CODE_MARK}{secret}", until)


def by_code(store: Store, value: str, on: date) -> Answer:
    """Where the person stands whose code this is; a code that was replaced is nobody's."""
    secret = value.strip().upper().removeprefix(CODE_MARK)
    for flag in store.select("Flag", identifier=f"{CODE}|{_digest(secret)}"):
        channel = to_channel(flag)
        if channel.token is None or on > channel.token.until:
            return Answer(Standing.CODE_ENDED, patient=channel.patient)
        return answer_for(store, channel.patient, on)
    return Answer(Standing.CODE_ENDED)


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _kept_token(channel: Channel | None) -> Token | None:
    return channel.token if channel is not None and not channel.withdrawn else None


def to_review(store: Store, on: date) -> list[Review]:
    """Channels that somebody should look at: about to end or ended, given by a rule that gives them no more, approved long ago."""
    policy, found = policy_of(store, on), []
    for flag in store.select("Flag", status="active"):
        if not is_channel(flag):
            continue
        channel = to_channel(flag)
        file = store.find("Patient", channel.patient)
        if file is None:
            continue
        cadre = cadre_of(file, policy)
        why = rules.review(channel.decision, bool(channel.granted_by), cadre, on, policy)
        if why is not None:
            found.append(Review(channel, why))
    return sorted(found, key=lambda one: (one.channel.decision.valid_to or date.max, one.channel.patient))


def refresh(store: Store, on: date) -> Refreshed:
    """Look at every file: grant what the rules give, renew what is about to end, withdraw what no rule gives any more.

    A channel that somebody granted or withdrew by hand stays as it is. Asking twice changes nothing; a timer calls it once a day.
    """
    policy = policy_of(store, on)
    granted, renewed, withdrawn = [], [], []
    for patient in store.select("Patient", active="true"):
        cadre, channel = cadre_of(patient, policy), channel_of(store, patient["id"])
        entitled = rules.decide(cadre, on, policy).entitled
        if channel is None:
            if entitled:
                grant(store, patient["id"], on)
                granted.append(patient["id"])
        elif not channel.withdrawn and (cadre.deceased or (not entitled and not channel.granted_by)):
            withdraw(store, patient["id"], on)
            withdrawn.append(patient["id"])
        elif entitled and not channel.withdrawn and not channel.granted_by and rules.due_for_renewal(channel.decision, on, policy):
            renew(store, patient["id"], on)
            renewed.append(patient["id"])
    return Refreshed(tuple(granted), tuple(renewed), tuple(withdrawn))


def _files(store: Store, patient: str) -> list[str]:
    survivor = str(follow(store, patient)["id"])
    return [survivor, *replaced(store, survivor)]
