"""What one stored message brings about: its effect, and its trace, inside the transaction that the worker has opened."""

from contextlib import nullcontext
from typing import Any

from healthsvc.store import Store
from healthsvc.store.inbox_rows import raw_of
from integrations.effects.care import Outcome
from integrations.effects.corrected import Corrections
from integrations.effects.event import apply
from integrations.effects.group import left_out
from integrations.effects.person import NotOurs
from integrations.effects.scene import scene_of
from integrations.effects.trace import trace
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.families import Family, as_standard, family_of
from integrations.hl7v2.persons import apart, for_all
from integrations.hl7v2.times import unread_times
from integrations.hospitals.profile import Profile
from integrations.reading import read


def process(store: Store, row: Any, profile: Profile) -> Outcome:
    """Let one stored message have its effect and leave its trace: on each person's record that person's part of it."""
    store.defers = corrections = Corrections(store, row.received, overruled=bool(row.overrules))
    try:
        outcome = _process(store, row, profile)
    finally:
        store.defers = None
    corrections.tell(outcome)
    return outcome


def _process(store: Store, row: Any, profile: Profile) -> Outcome:
    raw = raw_of(store.connection, store.sealer, row.id)
    whole, header = read(raw, profile)
    parts = apart(whole, header, profile)
    came_of_it, not_ours, done = Outcome(), 0, list[Outcome]()

    def note(outcome: Outcome, message: Message, number: int) -> None:
        done.append(outcome)
        if outcome.made:
            trace(
                store,
                inbox_id=str(row.id) if message is whole else f"{row.id}-{number}",
                raw=raw if message is whole else message.text.encode(message.cut.codec),
                link=profile.name,
                control_id=row.control_id,
                event=header.event,
                happened=outcome.happened or store.at,
                patient=outcome.patient,
                made=outcome.made,
            )
        came_of_it.made += outcome.made
        came_of_it.remarks += outcome.remarks

    for number, message in enumerate(parts, start=1):
        try:
            with store.savepoint() if len(parts) > 1 else nullcontext():
                outcome = apply(store, message, header, profile)
        except NotOurs:
            not_ours += 1
            continue
        note(outcome, message, number)
    if len(parts) > 1 and family_of(header, profile.events) is Family.BOOKING:
        scene = scene_of(store, parts[0], as_standard(header, profile.events), profile)
        for number, outcome in enumerate(left_out(scene, list(done)), start=len(parts) + 1):
            note(outcome, for_all(whole), number)
    if not_ours == len(parts):
        raise NotOurs
    if not_ours:
        came_of_it.remarks.append(f"{not_ours} of the {len(parts)} persons are none of ours and were left aside")
    unread = dict.fromkeys(place for place, _ in unread_times(whole, profile.nothing))
    came_of_it.remarks += [f"{place} could not be read as a time and counts as not told" for place in unread]
    return came_of_it
