"""What every write of a green channel must pass, through whatever door it comes; and that death closes it."""

from datetime import timedelta
from typing import Final

from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.greenchannel.resources import flag_id, is_channel, to_channel
from healthsvc.greenchannel.rules import Decision, decide, years_later
from healthsvc.greenchannel.service import cadre_of, policy_of, withdraw
from healthsvc.healthfile.resources import is_deceased
from healthsvc.healthfile.service import today
from healthsvc.store import Room, Store


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a Flag of ours: one per person, only rights that a rule gives or a named person approves. Other Flags are not our business."""
    kind = (new or old or {}).get("resourceType")
    if kind == "Patient":
        _follow_death(old, new, store)
        return
    if old is not None and is_channel(old) and not is_channel(new):
        raise RuleViolation(
            "a green channel is withdrawn, not deleted or turned into something else", reason="greenchannel-keep", path="Flag"
        )
    if new is None or not is_channel(new):
        return
    channel = to_channel(new)
    if new.get("id") != flag_id(channel.patient):
        raise RuleViolation(
            f"a person has one green channel; write it with PUT to Flag/{flag_id(channel.patient)}",
            reason="greenchannel-one-flag",
            path="Flag.id",
        )
    if channel.withdrawn or store.is_undoing:
        return
    patient = store.find("Patient", channel.patient)
    if patient is None:
        raise Invalid("Flag.subject names a person who has no health file here", path="Flag.subject")
    if is_deceased(patient):
        raise RuleViolation(
            "the file says that the person has died; nothing is granted", reason="greenchannel-deceased", path="Flag.subject"
        )
    before = to_channel(old).decision if old is not None and is_channel(old) else None
    if before == channel.decision:
        return
    on = channel.decision.valid_from or today(store)
    policy = policy_of(store, on)
    if channel.granted_by is None:
        _check_entitled(channel.decision, decide(cadre_of(patient, policy), on, policy))
    elif store.find("Practitioner", channel.granted_by) is None:
        raise RuleViolation(
            "whoever approves a green channel is in the staff directory; name that Practitioner",
            reason="greenchannel-no-approver",
            path="Flag.author",
        )
    longest = policy.lixiu_valid_years if "lixiu" in channel.decision.reasons else policy.other_valid_years
    former = before.valid_to if before is not None else None
    latest = years_later(max(on, today(store), former or on), longest) + timedelta(days=policy.renewal_notice_days)
    if channel.decision.valid_to is None or channel.decision.valid_to > latest:
        raise RuleViolation(
            f"the green channel is granted for {longest} years at most; give Flag.period.end",
            reason="greenchannel-too-long",
            path="Flag.period.end",
        )


def _check_entitled(claimed: Decision, decided: Decision) -> None:
    if claimed.rights <= decided.rights and set(claimed.reasons) <= set(decided.reasons):
        return
    raise RuleViolation(
        "no rule gives these rights to the person for these reasons; name the Practitioner who approves them in Flag.author",
        reason="greenchannel-not-entitled",
        path="Flag.code",
    )


def _follow_death(old: Resource | None, new: Resource | None, store: Store) -> None:
    if old is None or new is None or is_deceased(old) or not is_deceased(new):
        return
    flag = store.find("Flag", flag_id(new["id"]))
    if flag is not None and is_channel(flag) and flag.get("status") == "active":
        withdraw(store, new["id"], today(store))


ROOM: Final = Room("greenchannel", frozenset({"Flag", "Patient"}), admit)
