"""ADT: who a person is, the green channel 绿色通道, two files that became one and became two again."""

from healthsvc.healthfile.resources import links, to_person
from healthsvc.store import Store
from integrations.herald.telling import Listener, Telling, digest, last_told, remember
from integrations.hl7v2.outgoing import event, merged, parted, particulars
from integrations.hospitals.destination import Topic
from integrations.window import words_of


def person_news(store: Store, listener: Listener, patient: str, *, echo: bool) -> Telling | None:
    """A28 for somebody of whom the hospital has not heard, A31 afterwards; nothing where nothing that it would see has changed.

    ``echo``: the change is the hospital's own word. Then it knows, and is only noted to know.
    """
    file = store.find("Patient", patient)
    if file is None or links(file, "replaced-by") or not listener.concerns(file):
        return None
    found = listener.describe(store, file)
    subject = f"person:{patient}"
    before = last_told(store, listener, subject)
    trigger = "A31" if before is not None or listener.knows(file) else "A28"
    segments = particulars(trigger, found, store.at, listener.flag, listener.sex)
    trace = digest(segments[1:])
    if before is not None and before.digest == trace:
        return None
    remember(store, listener, subject, trace, "" if echo else trigger)
    return None if echo else Telling(patient, Topic.PERSON, event("ADT", trigger), tuple(segments))


def merge_news(store: Store, listener: Listener, patient: str, *, echo: bool) -> Telling | None:
    """A40 where a file that the hospital knows was joined to another; A37 where that was taken back."""
    file = store.find("Patient", patient)
    if file is None:
        return None
    subject = f"merge:{patient}"
    before = last_told(store, listener, subject)
    survivor = next(iter(links(file, "replaced-by")), None)
    if survivor is None:
        return _parted(store, listener, patient, before.digest, echo=echo) if before is not None and before.digest else None
    if before is not None and before.digest == survivor:
        return None
    prior = words_of(to_person(file).identifiers, listener.profile, listener.destination.hospital)
    if listener.destination.own_number:
        prior.append((patient, listener.destination.own_number))
    kept = store.find("Patient", survivor)
    if kept is None or not prior or not (listener.concerns(file) or listener.concerns(kept)):
        return None
    remember(store, listener, subject, survivor, "" if echo else "A40")
    if echo:
        return None
    segments = merged(listener.describe(store, kept), prior, store.at, listener.sex)
    return Telling(survivor, Topic.MERGE, event("ADT", "A40"), tuple(segments))


def _parted(store: Store, listener: Listener, patient: str, survivor: str, *, echo: bool) -> Telling | None:
    remember(store, listener, f"merge:{patient}", "", "" if echo else "A37")
    file, kept = store.find("Patient", patient), store.find("Patient", survivor)
    if echo or file is None or kept is None:
        return None
    segments = parted(listener.describe(store, kept), listener.describe(store, file), store.at, listener.sex)
    return Telling(survivor, Topic.MERGE, event("ADT", "A37"), tuple(segments))
