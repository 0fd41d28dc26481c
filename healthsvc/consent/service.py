"""Give, refuse and withdraw; and what counts now, for whoever is about to send or to show."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from healthsvc.consent import rules
from healthsvc.consent.resources import PRIVACY, PURPOSE, is_word, to_consent, to_word
from healthsvc.consent.rules import ConsentPolicy, Form, Purpose, Word
from healthsvc.errors import Gone, NotFound, RuleViolation
from healthsvc.fhir.elements import codes
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import follow, replaced, today
from healthsvc.store import Store


def policy_of(store: Store) -> ConsentPolicy:
    """The policy values in force today."""
    return store.policy.fill(ConsentPolicy, "consent", today(store))


def words(store: Store, patient: str) -> list[Word]:
    """Every word of a person, newest first; those of files that were merged into this one too."""
    found = [to_word(one) for file in _files(store, patient) for one in store.select("Consent", patient=file) if is_word(one)]
    return sorted(found, key=lambda word: (word.ended is None, word.at), reverse=True)


def say(
    store: Store,
    patient: str,
    purpose: Purpose,
    permits: bool,
    *,
    form: Form,
    recipient: str | None = None,
    signer: str = "patient",
    relation: str = "",
    witness: str | None = None,
    until: date | None = None,
) -> Word:
    """Note a word; the one before on the same purpose and recipient ends with it, and is kept.

    Args:
        permits: False refuses, or withdraws what was given: it counts from the moment on, also for what waits to be sent.
        recipient: id of the hospital's Organization; None: every hospital.
        witness: Practitioner id of whoever explained it.

    Raises:
        Invalid, RuleViolation: see :func:`healthsvc.consent.rules.check`.
    """
    file = str(follow(store, patient)["id"])
    word = Word("", file, purpose, permits, store.at, form, recipient, signer, relation.strip(), witness, until)
    for former in words(store, file):
        if former.ended is None and (former.purpose, former.recipient) == (purpose, recipient):
            store.put(to_consent(replace(former, ended=store.at)))
    return to_word(store.create(to_consent(word)))


def said(store: Store, patient: str, purpose: Purpose, is_meant: Callable[[str], bool] = lambda reference: False) -> bool | None:
    """What counts now: True permitted, False forbidden, None nobody was asked. The person's files are seen whole, whoever asks.

    Args:
        is_meant: whether a reference to an Organization is the recipient; words about every recipient count in any case.
    """
    with store.wholly():
        found = [one for file in _files(store, patient) for one in store.select("Consent", patient=file, status="active")]
    return rules.counts(
        one.get("provision", {}).get("type") == "permit"
        for one in found
        if _is_on(one, purpose) and _is_about(one, is_meant) and _in_force(one, store) and one.get("provision", {}).get("type")
    )


def forbids(
    store: Store,
    patient: str,
    purpose: Purpose,
    is_meant: Callable[[str], bool] = lambda reference: False,
    asks_permit: Callable[[], bool] = lambda: False,
) -> str | None:
    """Why something must not be sent or shown now: ``consent-denied`` or ``consent-missing``; None where nothing stands against it.

    Args:
        asks_permit: whether a permit is needed beyond what the policy of consents asks for; asked only where nobody has said anything.
    """
    told = said(store, patient, purpose, is_meant)
    if told is False:
        return "consent-denied"
    return "consent-missing" if told is None and (asks_permit() or purpose in policy_of(store).needs_permit) else None


def require_care(store: Store, patient: str) -> None:
    """Refuse to begin care that the person does not want.

    Raises:
        RuleViolation: they refused it or withdrew it, or the policy asks for a permit that is not there.
    """
    if forbids(store, patient, Purpose.CARE) is not None:
        raise RuleViolation(
            "the person has not agreed to this care, or has withdrawn it; nothing new is begun", reason="consent-care", path="patient"
        )


def _files(store: Store, patient: str) -> list[str]:
    """Every file of the person; one that was deleted since (what waits about it is still told) is asked by its own id."""
    try:
        survivor = str(follow(store, patient)["id"])
    except (NotFound, Gone):
        survivor = patient
    return [survivor, *replaced(store, survivor)]


def _is_on(consent: Resource, purpose: Purpose) -> bool:
    """Ours say the purpose; a general privacy consent that another system wrote is about handing on to others."""
    if not any(one.get("code") == PRIVACY for one in consent.get("scope", {}).get("coding", ())):
        return False
    ours = codes(consent.get("category"), PURPOSE)
    return purpose in ours if ours else purpose is Purpose.HOSPITAL_SHARING


def _is_about(consent: Resource, is_meant: Callable[[str], bool]) -> bool:
    actors = [one.get("reference", {}).get("reference", "") for one in consent.get("provision", {}).get("actor", ())]
    return not actors or any(is_meant(one) for one in actors)


def _in_force(consent: Resource, store: Store) -> bool:
    period, on = consent.get("provision", {}).get("period", {}), today(store).isoformat()
    return str(period.get("start", ""))[:10] <= on and (not period.get("end") or on <= str(period["end"])[:10])
