"""随身 both sides of a visit, line by line: what was written on the phone, and what stands here."""

from datetime import datetime

from healthsvc.fhir.json import Resource
from healthsvc.forms import service as forms
from healthsvc.forms.resources import to_answers
from healthsvc.infusion.records import given_id, is_given, to_given
from healthsvc.pocket.facts import planned_of, staff_in
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Status, Visit
from healthsvc.web import bedside_form
from healthsvc.web import findings_form as form
from healthsvc.web.form_fields import answers as read_answers
from healthsvc.web.form_words import lines
from healthsvc.web.lookup import Directory
from healthsvc.web.pocket_note import written
from healthsvc.web.pocket_sent import Answers, Sent, staff_named
from healthsvc.web.render import Page
from healthsvc.web.values import value_of

Side = dict[str, str]
_STATES = {
    Status.REQUESTED: "待访", Status.ACCEPTED: "已排班", Status.IN_PROGRESS: "进行中", Status.ON_HOLD: "暂停", Status.COMPLETED: "已完成",
    Status.CANCELLED: "已取消", Status.FAILED: "未访", Status.DRAFT: "未到期", Status.ENTERED_IN_ERROR: "已取消",
}  # fmt: skip


def sides(store: Store, page: Page, sent: Sent) -> list[Side]:
    """Rows of label, mine and theirs; a row that only one side has leaves the other empty."""
    mine, theirs = mine_of(store, page, sent), _theirs(store, page, sent)
    labels = list(dict.fromkeys([*theirs, *mine]))
    return [{"label": label, "mine": mine.get(label, ""), "theirs": theirs.get(label, "")} for label in labels]


def mine_of(store: Store, page: Page, sent: Sent) -> Side:
    """What was written on the phone, label by label."""
    say, names = page.say, Directory(store)
    state = {"visit": "已完成", "miss": "未访", "drip": "床旁记录"}[sent.kind]
    told: Side = {say("状态"): say(state) + (f" · {say(dict(form.MISSED).get(sent.reason, '其他'))}" if sent.kind == "miss" else "")}
    main = sent.form(sent.main) if sent.main else None
    typed = dict(main.fields if main else sent.fields)
    if typed.get("day"):
        told[say("时间")] = f"{typed['day']} {typed.get('start', '')}–{typed.get('end', '')}"
        told[say("人员")] = "、".join(names.staff(one) for one in staff_named(list(typed.items())))
    told |= _measured(page, sent)
    for one in sent.forms:
        told |= _answered(store, page, one)
    told |= {say(title): text for title, text in written(sent)}
    for number, entry in enumerate(sent.entries("", store.zone), 1):
        told[f"{say('步骤')} {number}"] = f"{entry.at:%H:%M} {say(bedside_form.ACTS[entry.act])} {entry.text}".strip()
    if sent.signature:
        told[say("签字")] = f"{sent.signature.name} {sent.signature.relation}".strip()
    return told


def _measured(page: Page, sent: Sent) -> Side:
    typed, told = sent.typed(), {}
    for arm, title in (("left", "血压（左臂）"), ("right", "血压（右臂）")):
        if typed[f"systolic_{arm}"] or typed[f"diastolic_{arm}"]:
            told[page.say(title)] = f"{typed[f'systolic_{arm}']}/{typed[f'diastolic_{arm}']} mmHg"
    for name, title, unit in form.NUMBERS:
        if typed[name]:
            told[page.say(title)] = f"{typed[name]} {unit}"
    for name, title in (("complaints", "主诉"), ("advice", "建议")):
        if typed[name]:
            told[page.say(title)] = typed[name]
    return told


def _answered(store: Store, page: Page, given: Answers) -> Side:
    asked, _ = forms.named(store, given.name)
    answers, unread = read_answers(asked, given.data())
    told = {title: text for _, title, text in lines(asked.items, answers, page) if text}
    typed = dict(given.fields)
    titles = {one.link: one.zh if page.language == "zh" or not one.en else one.en for one in asked.walk()}
    return told | {titles.get(one.path or "", one.path or ""): typed.get(f"q-{one.path}", "") for one in unread}


def _theirs(store: Store, page: Page, sent: Sent) -> Side:
    say, names = page.say, Directory(store)
    visit = visits.read(store, sent.task)
    encounter = planned_of(store, visit)
    state = say(_STATES[visit.status])
    told: Side = {say("状态"): f"{state} · {say(visit.reason)}" if visit.reason else state}
    period = (encounter or {}).get("period", {})
    if "start" in period and (encounter or {}).get("status") not in ("cancelled", "entered-in-error"):
        told[say("时间")] = _span(period, store)
        told[say("人员")] = "、".join(names.staff(one) for one in staff_in(encounter))
    if visit.status is Status.COMPLETED:
        told |= _found(store, page, visit, sent)
    record = store.find("MedicationAdministration", given_id(sent.task))
    if record is not None and is_given(record):
        for number, entry in enumerate(to_given(record).bedside.log, 1):
            at = entry.at.astimezone(store.zone)
            told[f"{say('步骤')} {number}"] = f"{at:%H:%M} {say(bedside_form.ACTS[entry.act])} {entry.text}".strip()
    return told


def _found(store: Store, page: Page, visit: Visit, sent: Sent) -> Side:
    """What another has written down of the visit."""
    told: Side = {}
    for one in store.select("Observation", encounter=visit.encounter) if visit.encounter else []:
        if "valueCodeableConcept" in one:
            continue  # what the rules made of the numbers
        arm = {"368208006": "（左臂）", "368209003": "（右臂）"}
        site = next((arm[code["code"]] for code in one.get("bodySite", {}).get("coding", ()) if code.get("code") in arm), "")
        value = value_of(one)
        told[page.say(value.name + site)] = value.text
    task = store.read("Task", visit.id)
    for note in task.get("note", []):
        told[page.say("建议")] = str(note.get("text", ""))
    for name in {sent.main, *(one.name for one in sent.forms)} - {""}:
        response = store.find("QuestionnaireResponse", forms.response_id(name, visit.id))
        if response is not None:
            asked, _ = forms.named(store, name)
            told |= {title: text for _, title, text in lines(asked.items, to_answers(asked, response)[0], page) if text}
    return told


def _span(period: Resource, store: Store) -> str:
    start = datetime.fromisoformat(period["start"]).astimezone(store.zone)
    end = datetime.fromisoformat(period["end"]).astimezone(store.zone) if "end" in period else None
    return f"{start:%Y-%m-%d %H:%M}–{f'{end:%H:%M}' if end else ''}"
