"""随身 take in one record of a phone: once, whatever is sent how often; stored, asked about, put aside, or left to the desk."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.exc import IntegrityError

from healthsvc import clock
from healthsvc.access.door import Who, writing_as
from healthsvc.checkup import service as checkups
from healthsvc.checkup.answered import complete_with_form
from healthsvc.errors import Invalid, NotFound, Refusal, RuleViolation
from healthsvc.fhir.elements import derived_id, extension, instant
from healthsvc.forms import service as forms
from healthsvc.infusion import bedside
from healthsvc.pocket import facts as reading
from healthsvc.pocket import ledger
from healthsvc.pocket.drip import NEEDS_SERVER
from healthsvc.pocket.policy import policy_of
from healthsvc.pocket.rules import Choice, Facts, Made, Verb, Verdict, Way, judge, unsent
from healthsvc.pocket.signature import Signed, write_signature
from healthsvc.store import Database, Store
from healthsvc.store.sealing import Seal
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings
from healthsvc.visit.resources import to_task
from healthsvc.visit.rules import Act, Kind, Visit, Window, apply
from healthsvc.web import findings_form as form
from healthsvc.web.form import times_of
from healthsvc.web.form_fields import answers as read_answers
from healthsvc.web.pocket_note import write_note
from healthsvc.web.pocket_sent import Answers, Sent, staff_named
from healthsvc.web.pocket_sides import sides
from healthsvc.web.pocket_wrong import wrong
from healthsvc.web.render import Page

_BASICS: Final = ("day", "start", "end", "by", "with", "late_reason")


@dataclass(frozen=True, slots=True)
class Counter:
    """Where records are taken in, and in whose name."""

    database: Database
    seal: Seal
    who: Who
    page: Page


class _Asked(Exception):
    """Ends the attempt: whoever made the visit has to decide first; nothing is written."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__()
        self.answer = answer


def take(counter: Counter, sent: Sent) -> dict[str, Any]:
    """Take in one record in a transaction of its own, and say what became of it.

    ``outcome`` is ``store``, ``keep`` or ``desk`` (it had an effect: sent again, the same answer comes back); ``ask`` (both sides have
    changed: the answer shows both, nothing is written) or ``refused`` (with the reasons; nothing is written).
    """
    try:
        return _attempt(counter, sent)
    except IntegrityError:
        # the same record came twice at the same moment, and the other one was first
        return _attempt(counter, sent)


def _attempt(counter: Counter, sent: Sent) -> dict[str, Any]:
    with writing_as(counter.database, counter.who.actor) as store:
        try:
            with store.savepoint():
                return _taken(store, counter, sent)
        except _Asked as asked:
            return asked.answer
        except Refusal as refusal:
            return {"key": sent.key, "outcome": "refused", "reason": refusal.reason or refusal.issue_code} | {
                "told": wrong(store, counter.page, sent, refusal)
            }


def _taken(store: Store, counter: Counter, sent: Sent) -> dict[str, Any]:
    login = _login(counter.who)
    said = sent.model_dump(mode="json")
    known = ledger.first_answer(store, sent.key, login, ledger.digest_of(said))
    if known is not None:
        return known
    then, policy = sent.facts(), policy_of(store)
    with store.wholly():
        now = reading.facts_of(store, sent.task, then.forms)
        patient = visits.read(store, sent.task).person
    visible = store.find("Task", sent.task) is not None
    seen = reading.digest(now)
    made = _made(store, sent, _by(store, sent))
    verdict = judge(then, now, seen, made, sent.decided(), policy.tolerance)
    if not visible:
        verdict = _unseen(verdict)
    if verdict.verb is Verb.ASK:
        raise _Asked(_question(store, counter.page, sent, verdict, seen, visible))
    answer = {"key": sent.key, "outcome": verdict.verb.value, "task": sent.task, "way": verdict.way.value}
    ledger.take_in(
        store, counter.seal, said, login=login, patient=patient, outcome=verdict.verb, clashes=tuple(verdict.clashes),
        made=sent.device, answer=answer,
    )  # fmt: skip
    if verdict.verb is Verb.STORE:
        _store(store, sent, verdict, now)
    else:
        store.audit("pocket-" + verdict.verb.value, f"Task/{sent.task}", patient=patient if visible else None)
    return answer


def _unseen(verdict: Verdict) -> Verdict:
    """A visit of somebody whom the account may not see any more is not written to, but nothing of it is lost."""
    if verdict.verb in (Verb.DESK, Verb.KEEP):
        return verdict
    return Verdict(Verb.ASK, verdict.way, verdict.clashes, (Choice.THEIRS, Choice.DESK))


def _question(store: Store, page: Page, sent: Sent, verdict: Verdict, seen: str, visible: bool) -> dict[str, Any]:
    return {
        "key": sent.key,
        "outcome": "ask",
        "clashes": [one.value for one in verdict.clashes] or ["moved"],
        "choices": [one.value for one in verdict.choices],
        "way": verdict.way.value,
        "seen": seen,
        "received": store.at.astimezone(store.zone).isoformat(timespec="seconds"),
        "sides": sides(store, page, sent) if visible else [],
    }


def _made(store: Store, sent: Sent, by: str) -> Made:
    start, end = None, None
    if sent.kind == "visit":
        with suppress(Refusal):  # times that cannot be read keep nothing from the desk; storing refuses them
            start, end = _times(store, sent)
    return Made(
        start=start,
        end=end,
        forms=frozenset(one.name for one in sent.forms),
        steps=tuple(reading.step_digest(one) for one in sent.entries(by, store.zone)),
        drip=sent.kind == "drip",
        missed=sent.kind == "miss",
        skew_then=timedelta(seconds=sent.offset_then),
        skew_now=clock.now() - sent.sent,
    )


def _times(store: Store, sent: Sent) -> tuple[datetime, datetime]:
    if not sent.main:
        return form.moments(sent.typed(), store.zone)
    return times_of(_basics(sent), store)


def _basics(sent: Sent) -> dict[str, str]:
    main = sent.form(sent.main)
    if main is None:
        raise Invalid("the form that completes the visit is missing from the record", path="main")
    told = dict(main.fields)
    return {name: told.get(name, "").strip() for name in _BASICS}


def _store(store: Store, sent: Sent, verdict: Verdict, now: Facts) -> None:
    if sent.kind == "drip":
        _walk(store, sent, now)
        return
    task = sent.task
    visit = visits.read(store, task)
    if sent.kind == "miss":
        visits.miss(store, task, sent.reason if sent.reason in dict(form.MISSED) else "other")
    else:
        if visit.kind == Kind.HOME_INFUSION:
            raise RuleViolation("a drip is recorded step by step at the bedside", reason="infusion-no-record")
        task = _made_possible(store, sent, visit, verdict.way)
        _complete(store, sent, task)
        write_note(store, sent, visit, task, _times(store, sent), _by(store, sent))
    _mark(store, sent, task)


def _made_possible(store: Store, sent: Sent, visit: Visit, way: Way) -> str:
    """The id of the visit that is completed: this one, taken up again where it must be, or one of its own beside it."""
    if way is Way.REOPEN:
        visits.reopen(store, visit.id)
    elif way is Way.RESUME:
        # only this one: the others stay on hold
        again = replace(apply(visit, Act.RESUME), cause=None, encounter=None)
        store.put(to_task(again, store.read("Task", visit.id)))
    elif way is Way.BESIDE:
        start, end = _times(store, sent)
        kind = Kind.FOLLOW_UP
        own = Visit(
            derived_id("beside", sent.key), kind, visit.person, Window(start, end), visit.minutes, owner=visit.owner,
            title=visits.policy_of(store).title(kind),
        )  # fmt: skip
        return str(visits.request(store, own)["id"])
    return visit.id


def _complete(store: Store, sent: Sent, task: str) -> None:
    beside = task != sent.task
    start, end = _times(store, sent)
    for one in sent.forms:
        if one.name != sent.main or beside:
            _answer(store, sent, one, task, end, beside=beside)
    typed = sent.typed()
    if sent.main and not beside:
        basics = _basics(sent)
        by = staff_named(list(basics.items())) or [store.actor.id]
        answers = _answers(store, sent.form(sent.main))
        complete_with_form(store, task, sent.main, answers, start, end, by, basics["late_reason"] or None)
        return
    by = staff_named(list(_basics(sent).items()) if sent.main else sent.fields) or [store.actor.id]
    found = form.findings(typed, store.zone) if not sent.main else Findings(start, end)
    if visits.read(store, task).kind == Kind.QUARTERLY_CHECKUP:
        checkups.complete(store, task, found, by, form.self_care(typed))
    else:
        visits.complete(store, task, found, by)


def _answers(store: Store, given: Answers | None) -> dict[str, Any]:
    if given is None:
        raise Invalid("the form that completes the visit is missing from the record", path="main")
    asked, _ = forms.named(store, given.name)
    answers, unread = read_answers(asked, given.data())
    if unread:
        raise Invalid("some answers cannot be read; mend them", reason="form-answers", issues=unread)
    return answers


def _answer(store: Store, sent: Sent, given: Answers, task: str, end: datetime, *, beside: bool) -> None:
    """A form that was filled in on the way, besides the one that completes the visit."""
    asked, _ = forms.named(store, given.name)
    author: dict[str, Any] = {"author": {"reference": store.actor.id}} if store.actor.id.startswith("Practitioner/") else {}
    person = visits.read(store, task).person
    id = derived_id(given.name, sent.key) if beside else forms.response_id(given.name, task)
    store.put(forms.response_of(asked, person, _answers(store, given), end.astimezone(store.zone), id=id, **author))


def _mark(store: Store, sent: Sent, task: str) -> None:
    """The visit says that it was written down without network, by which clock, and when it came in; and is confirmed by signature."""
    parts: list[dict[str, Any]] = [
        {"url": "key", "valueString": sent.key},
        {"url": "device", "valueDateTime": instant(sent.device)},
        {"url": "received", "valueDateTime": instant(store.at)},
        {"url": "offset", "valueInteger": sent.offset_then},
    ]
    if sent.decision:
        parts.append({"url": "decided", "valueCode": sent.decision.choice.value})
    stored = store.read("Task", task)
    store.put(stored | {"extension": [*stored.get("extension", []), extension("pocket-record", extension=parts)]})
    if sent.signature and sent.kind == "visit":
        hand = sent.signature
        write_signature(
            store, task, visits.read(store, task).person, Signed(hand.name, hand.relation, hand.drawing.drawing(), sent.signed_at())
        )


def _walk(store: Store, sent: Sent, now: Facts) -> None:
    """The steps at the bedside, walked through the protocol in their order; those that are there already are left out."""
    by = _by(store, sent)
    entries = sent.entries(by, store.zone)
    refused = next((one for one in entries if one.act in NEEDS_SERVER), None)
    if refused is not None:
        raise RuleViolation(f"{refused.act} is asked of the server, with network", reason="pocket-needs-server")
    if not by:
        raise RuleViolation("steps at the bedside come from an account of a member of the staff", reason="infusion-signature-account")
    there = unsent(tuple(reading.step_digest(one) for one in entries), now.steps, sent.facts().steps)
    for entry in entries[there:]:
        bedside.take(store, sent.task, entry)


def _by(store: Store, sent: Sent) -> str:
    kind, _, id = store.actor.id.partition("/")
    return id if kind == "Practitioner" else ""


def _login(who: Who) -> str:
    if who.session is None:
        raise NotFound("a phone's records come from a page that is signed in", reason="pocket-session")
    return who.session.login
