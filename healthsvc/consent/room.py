"""What every write of a person's word must pass, through whatever door it comes."""

from dataclasses import replace
from typing import Final

from healthsvc.consent import rules
from healthsvc.consent.resources import is_word, to_word
from healthsvc.consent.service import policy_of
from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.store import Room, Store


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a word: one in force for each purpose and recipient, never changed but ended. Other Consents are not our business."""
    if old is not None and is_word(old) and not is_word(new):
        raise RuleViolation(
            "a word of a person is ended by another one, and kept; it is not deleted", reason="consent-keep", path="Consent"
        )
    if new is None or not is_word(new):
        return
    after, before = to_word(new), to_word(old) if old is not None and is_word(old) else None
    if not store.is_undoing:
        if before is None:
            _check_new(after, store)
        elif replace(before, ended=None, until=None) != replace(after, ended=None, until=None) or (before.ended and not after.ended):
            raise RuleViolation(
                "what a person said is not changed afterwards; end it and write their new word", reason="consent-fixed", path="Consent"
            )
    if after.ended is not None or new.get("status") != "active":
        store.release(after.claim, after.id)
    else:
        store.claim(after.claim, after.id)


def _check_new(word: rules.Word, store: Store) -> None:
    rules.check(word, store.at, policy_of(store))
    if store.find("Patient", word.patient) is None:
        raise Invalid("Consent.patient names a person who has no health file here", path="Consent.patient")
    for type, id in (("Organization", word.recipient), ("Practitioner", word.witness)):
        if id is not None and store.find(type, id) is None:
            raise Invalid(f"there is no {type} of this id; write it first", path="Consent")


ROOM: Final = Room("consent", frozenset({"Consent"}), admit)
