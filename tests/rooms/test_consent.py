"""Consent per purpose: given, refused, withdrawn; and every door asks for it at the moment of sending or showing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import embedded
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.consent import rules, service
from healthsvc.consent.resources import to_consent, to_word
from healthsvc.consent.rules import ConsentPolicy, Form, Purpose, Word
from healthsvc.emergency.service import contacts
from healthsvc.emergency.sheet import sheet
from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir import profiles
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.systems import HEALTH_FILE_NUMBER
from healthsvc.fhir.validation import validate
from healthsvc.greenchannel import service as greenchannel
from healthsvc.greenchannel.resources import CODE
from healthsvc.greenchannel.rules import Standing
from healthsvc.healthfile.resources import to_patient
from healthsvc.healthfile.rules import Category, Contact, ContactRole, Identifier, Person
from healthsvc.mustvisit import service as mustvisits
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Actor, Database, Store
from integrations.consent import objection

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
POLICY = ConsentPolicy((), ("written", "drawn", "certified"))
WINDOW = Actor("token/1", "window", frozenset({"hospital-window"}), "rest", frozenset({"Organization/h1"}))


class Hospital:
    def __init__(self, id: str) -> None:
        self.id = id

    def is_meant(self, reference: str) -> bool:
        return reference == f"Organization/{self.id}"


H1, H2 = Hospital("h1"), Hospital("h2")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(embedded.made(tmp_path), rooms=ROOMS)
    with opened.writing(SYSTEM, at=AT) as store:
        for id in ("h1", "h2"):
            store.put({"resourceType": "Organization", "id": id, "name": f"示例{id}"})
        store.put({"resourceType": "Practitioner", "id": "dr-1", "name": [{"text": "示例医"}]})
    yield opened
    opened.close()


def cadre(store: Store) -> str:
    worker = Contact(ContactRole.COMMUNITY_WORKER, "示例丁", "10000000003")
    family = Contact(ContactRole.FAMILY, "示例戊", "10000000004")
    person = Person(
        "示例甲", sex="male", birth=date(1940, 1, 1), category=Category.LIXIU, contacts=(worker, family),
        identifiers=(Identifier(HEALTH_FILE_NUMBER, "33029900100100001"),),
    )  # fmt: skip
    return str(store.put(to_patient(person, "p1"))["id"])


def deny(store: Store, patient: str, purpose: Purpose, recipient: str | None = None) -> Word:
    return service.say(store, patient, purpose, False, form=Form.ORAL, witness="dr-1", recipient=recipient)


def permit(store: Store, patient: str, purpose: Purpose, recipient: str | None = None) -> Word:
    return service.say(store, patient, purpose, True, form=Form.WRITTEN, recipient=recipient)


moments = st.integers(946684800, 4102444800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
words = st.builds(
    Word, st.just("w1"), st.just("p1"), st.sampled_from(Purpose), st.booleans(), moments, st.sampled_from(Form),
    st.none() | st.just("h1"), st.sampled_from(["patient", "family"]), st.sampled_from(["", "女儿"]), st.none() | st.just("dr-1"),
    st.none() | st.dates(date(2000, 1, 1)), st.none() | moments,
).map(lambda word: replace(word, until=None) if word.ended else word)  # fmt: skip


@given(words)
def test_a_word_survives_fhir(word: Word) -> None:
    written = to_consent(word)
    assert to_word(written) == word


def test_a_word_conforms() -> None:
    written = to_consent(Word("w1", "p1", Purpose.HOSPITAL_SHARING, False, AT, Form.ORAL, "h1", witness="dr-1"))
    assert validate(written, Registry.load()) == []
    assert profiles.check(written, ["purpose-consent"]) == []


@given(st.lists(st.booleans()))
def test_one_refusal_forbids(said: list[bool]) -> None:
    assert rules.counts(said) == (None if not said else all(said))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"form": Form.ORAL, "witness": "dr-1"}, "consent-form"),
        ({"permits": False, "form": Form.ORAL}, "consent-witness"),
        ({"signer": "family"}, "consent-relation"),
        ({"recipient": "h1"}, None),
        ({"at": AT + timedelta(hours=1)}, None),
        ({"until": date(2026, 1, 1)}, None),
    ],
)
def test_what_a_word_must_say(change: dict[str, object], reason: str | None) -> None:
    word = Word("w", "p", Purpose.CARE, True, AT, Form.WRITTEN)
    rules.check(word, AT, POLICY)
    with pytest.raises((RuleViolation, Invalid)) as refused:
        rules.check(replace(word, **change), AT, POLICY)  # type: ignore[arg-type]
    assert refused.value.reason == reason


def test_a_new_word_ends_the_one_before_and_both_are_kept(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = cadre(store)
        assert service.said(store, patient, Purpose.CARE) is None
        permit(store, patient, Purpose.CARE)
    with database.writing(SYSTEM, at=AT + timedelta(days=1)) as store:
        assert service.said(store, patient, Purpose.CARE) is True
        deny(store, patient, Purpose.CARE)
        assert service.said(store, patient, Purpose.CARE) is False
        now, before = service.words(store, patient)
        assert (now.permits, now.ended, before.permits, before.ended) == (False, None, True, AT + timedelta(days=1))
        with pytest.raises(RuleViolation, match="not deleted"), store.savepoint():
            store.delete("Consent", before.id)
        with pytest.raises(RuleViolation, match="not changed"), store.savepoint():
            store.put(to_consent(replace(now, permits=True)))
        with pytest.raises(RuleViolation, match="not changed"), store.savepoint():
            store.put(to_consent(replace(before, ended=None)))
        other = to_consent(Word("second", patient, Purpose.CARE, True, AT, Form.WRITTEN))
        with pytest.raises(Exception, match="already taken"), store.savepoint():
            store.put(other)


def test_a_permit_ends_by_itself(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = cadre(store)
        service.say(store, patient, Purpose.COMMUNITY_WORKER, True, form=Form.DRAWN, until=date(2026, 11, 30))
        assert service.said(store, patient, Purpose.COMMUNITY_WORKER) is True
    with database.reading(SYSTEM, at=AT + timedelta(days=9)) as store:
        assert service.said(store, patient, Purpose.COMMUNITY_WORKER) is None


def test_care_nothing_new_is_begun(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = cadre(store)
        service.require_care(store, patient)
        deny(store, patient, Purpose.CARE)
        with pytest.raises(RuleViolation) as refused:
            service.require_care(store, patient)
    assert refused.value.reason == "consent-care"


def test_hospitals_each_apart_and_the_refusal_wins(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = cadre(store)
        assert objection(store, patient, H1) is None
        deny(store, patient, Purpose.HOSPITAL_SHARING, "h1")
        assert (objection(store, patient, H1), objection(store, patient, H2)) == ("consent-denied", None)
        permit(store, patient, Purpose.HOSPITAL_SHARING, "h1")
        assert objection(store, patient, H1) is None, "given again"
        deny(store, patient, Purpose.HOSPITAL_SHARING)
        assert objection(store, patient, H1) == "consent-denied", "all are refused, whatever one may"
        deny(store, patient, Purpose.CARE)
        permit(store, patient, Purpose.HOSPITAL_SHARING)
        assert objection(store, patient, H2) is None, "another purpose says nothing here"


def test_a_hospital_window_is_told_nothing_of_whom_it_may_not_know(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = cadre(store)
        greenchannel.grant(store, patient, date(2026, 11, 23))
        asked = (HEALTH_FILE_NUMBER, "33029900100100001")
        code = greenchannel.make_code(store, patient, date(2026, 11, 23)).text
    with database.reading(WINDOW, at=AT) as store:
        assert greenchannel.answer(store, *asked).standing is Standing.ENTITLED
    with database.writing(SYSTEM, at=AT) as store:
        deny(store, patient, Purpose.HOSPITAL_SHARING, "h1")
    with database.reading(WINDOW, at=AT) as store:
        told = greenchannel.answer(store, *asked)
        assert (told.standing, told.patient, told.rights) == (Standing.UNKNOWN, None, frozenset())
        assert greenchannel.answer(store, *asked, asks=H2.is_meant).standing is Standing.ENTITLED
        assert greenchannel.answer(store, "urn:healthsvc:none", "x").standing is Standing.UNKNOWN
        assert greenchannel.answer(store, CODE, code).standing is Standing.ENTITLED, "whoever shows the code says yes by that"
    with database.reading(replace(WINDOW, roles=frozenset({"doctor"}), areas=None), at=AT) as store:
        assert greenchannel.answer(store, *asked).standing is Standing.ENTITLED, "who looks after people is no hospital"


def test_the_emergency_sheet(database: Database) -> None:
    helper = Actor("user/h", roles=frozenset({"hotline"}))
    with database.writing(SYSTEM, at=AT) as store:
        patient = cadre(store)
        permit(store, patient, Purpose.EMERGENCY_SHARING)
    with database.reading(helper, at=AT) as store:
        assert sheet(store, patient, "alarm").ground == "consent"
    with database.writing(SYSTEM, at=AT) as store:
        deny(store, patient, Purpose.EMERGENCY_SHARING)
    with database.reading(helper, at=AT) as store, pytest.raises(RuleViolation) as refused:
        sheet(store, patient, "alarm")
    assert refused.value.reason == "emergency-no-consent"


def test_the_community_worker_is_neither_called_nor_sent(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = cadre(store)
        assert [one.callee.role for one in contacts(store, patient)] == ["family", "community-worker"]
        deny(store, patient, Purpose.COMMUNITY_WORKER)
        assert [one.callee.role for one in contacts(store, patient)] == ["family"]
    with database.writing(SYSTEM, at=datetime(2027, 1, 1, 2, 0, tzinfo=UTC)) as store:
        mustvisits.refresh(store, date(2027, 1, 1))
        birthday = [one for one in mustvisits.listed(store, date(2027, 1, 1)) if one.occasion == "birthday"]
        assert [one.who for one in birthday] == ["community-doctor"]
