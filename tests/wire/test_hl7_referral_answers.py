"""A hospital accepts or refuses a referral of ours: in its answer to our REF, or later on its own line; once, and with its trace."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from hospital import AT, Hospital, cadre
from peer import Peer

from healthsvc.referral import service as referrals
from healthsvc.referral.resources import task_id
from healthsvc.referral.rules import Reason, Referral, Stage
from healthsvc.store import SYSTEM, Database
from integrations.hl7v2.compose import message, segment
from integrations.hospitals.destination import Destination
from integrations.outbox import Courier, send_later

REFUSAL = "NTE|1|P|无床位\r"


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


def referred(database: Database) -> Referral:
    patient, _ = cadre(database)
    with database.writing(SYSTEM, at=AT) as store:
        made = referrals.refer(store, patient, Reason.CRITICAL, "Organization/h1", "Practitioner/d1", summary="胸痛")
        text = message(
            ("REF", "I12"), "ref-1", AT, [segment("RF1", {1: "P", 6: made.id})], sender=("HEALTHSVC", "C"), receiver=("HIS", "H1")
        )
        send_later(store, "default", patient, text)
    return made


def now(database: Database, referral: Referral) -> Referral:
    with database.reading(SYSTEM, at=AT) as store:
        return referrals.read(store, referral.id)


@pytest.mark.parametrize(
    ("more", "stage", "remark"),
    [
        ("RF1|A||||||||||{theirs}\r", Stage.ACCEPTED, ""),
        ("RF1|R|||||{ours}\r" + REFUSAL, Stage.REFUSED, "无床位"),
        ("RF1|P|||||{ours}\r", Stage.REQUESTED, ""),
        ("", Stage.REQUESTED, ""),
    ],
)
def test_the_answer_to_our_referral_says_what_becomes_of_it(hospital: Hospital, more: str, stage: Stage, remark: str) -> None:
    database = hospital.database
    made = referred(database)
    with closing(Peer(lambda control_id, times: "AA", "RRI^I12", more.format(ours=made.id, theirs=made.id))) as peer:
        courier = Courier(database, Destination("default", "127.0.0.1", peer.port, 5.0), lambda: 0.5)
        while courier.round(AT):
            pass
        courier.stop()
    assert len(peer.got) == 1
    hospital.worker.drain()
    assert hospital.last().state == "done", hospital.last().remark
    assert (now(database, made).stage, now(database, made).remark) == (stage, remark)
    traces = hospital.select("Provenance", target=f"Task/{task_id(made.id)}")
    assert len(traces) == (stage is not Stage.REQUESTED)


def test_an_answer_that_comes_later_on_the_hospitals_own_line_counts_once(hospital: Hospital) -> None:
    made = referred(hospital.database)
    said = f"MSH|^~\\&|HIS|H1|C|C|20260302093000||RRI^I12|A1|P|2.4\rMSA|AA|ref-1\rRF1|A|||||{made.id}|||||H77\r"
    for _ in range(2):
        assert b"MSA|AA|A1" in hospital.inbox.take_now(said.encode(), "127.0.0.1:2575", "127.0.0.1")
        hospital.worker.drain()
    assert [row.state for row in hospital.rows()] == ["done"]
    assert now(hospital.database, made).stage is Stage.ACCEPTED
    hospital.inbox.take_now(said.replace("|A1|", "|A2|").replace("RF1|A", "RF1|R").encode(), "127.0.0.1:2575", "127.0.0.1")
    hospital.worker.drain()
    assert "has gone on already" in hospital.last().remark
    assert now(hospital.database, made).stage is Stage.ACCEPTED


@pytest.mark.parametrize(("rf1", "reason"), [("RF1|A|||||unknown-1\r", "unknown-referral"), ("RF1|E|||||{ours}\r", "referral-answer")])
def test_what_nobody_can_follow_waits_for_somebody_to_look(hospital: Hospital, rf1: str, reason: str) -> None:
    made = referred(hospital.database)
    said = "MSH|^~\\&|HIS|H1|C|C|20260302093000||RRI^I12|A1|P|2.4\rMSA|AA|ref-1\r" + rf1.format(ours=made.id)
    hospital.inbox.take_now(said.encode(), "127.0.0.1:2575", "127.0.0.1")
    hospital.worker.drain()
    assert (hospital.last().state, hospital.last().reason) == ("review", reason)
    assert now(hospital.database, made).stage is Stage.REQUESTED
