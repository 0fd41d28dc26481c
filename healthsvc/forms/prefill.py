"""预填: what a new form can be filled in with beforehand. Habits and history are taken over, measurements never are."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from healthsvc.fhir.elements import codes, is_active
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import HOME_CARE, code_system
from healthsvc.forms.personal import known_values
from healthsvc.forms.resources import to_answers
from healthsvc.forms.rules import DONE, Answers, Code, Form, Item, Kind, is_asked
from healthsvc.forms.tables import BY_URL
from healthsvc.healthfile.inpatient import stays_of
from healthsvc.healthfile.service import replaced
from healthsvc.store import Store

_DRUG_CLASS = code_system("drug-class")


def filled_in(store: Store, form: Form, file: Resource, since: datetime) -> Answers:
    """Answers for a new form of a person: from the file, from the latest forms that were filled in since then, from what is on record."""
    files = [file["id"], *replaced(store, file["id"])]
    earlier: list[tuple[Form, Answers]] = []
    found = store.select("QuestionnaireResponse", patient=files, authored=f"ge{since.isoformat()}")
    for one in sorted((one for one in found if one.get("status") in DONE), key=lambda one: str(one.get("authored")), reverse=True):
        known = BY_URL.get(str(one.get("questionnaire", "")).partition("|")[0])
        if known is not None:
            earlier.append((known, to_answers(known, one)[0]))
    recorded = _recorded(store, form, files)
    return _filled(form.items, known_values(store, file), earlier, recorded, ())


def _filled(
    items: Sequence[Item], known: Mapping[str, Any], earlier: Sequence[tuple[Form, Answers]], recorded: Answers, around: tuple[Answers, ...]
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for item in items:
        scopes = (*around, made)
        if not is_asked(item, scopes):
            continue
        if item.kind is Kind.GROUP and not item.extract:
            if inner := _filled(item.items, known, earlier, recorded, scopes):
                made[item.link] = [inner]
        elif item.fill:
            if values := _fitting(item, known.get(item.fill)):
                made[item.link] = values
        elif item.link in recorded:
            made[item.link] = list(recorded[item.link])
        elif item.carry and (last := _last(item, earlier)):
            made[item.link] = last
    return made


def _last(item: Item, earlier: Sequence[tuple[Form, Answers]]) -> list[Any]:
    """The latest answer to the same item, in whichever of our forms it stood."""
    for form, answers in earlier:
        asked = next((one for one in form.walk() if one.link == item.link), None)
        given = _inside(item.link, answers)
        if asked is not None and asked.kind is item.kind and given:
            if item.kind is not Kind.GROUP:
                return [one for one in given if not isinstance(one, Code) or any(option.code.same(one) for option in item.options)]
            kept = {one.link for one in item.items if one.carry}
            return [{link: values for link, values in one.items() if link in kept} for one in given]
    return []


def _inside(link: str, scope: Answers) -> Sequence[Any]:
    if scope.get(link):
        return scope[link]
    inner = (one for given in scope.values() for one in given if isinstance(one, Mapping))
    return next((found for one in inner if (found := _inside(link, one))), ())


def _fitting(item: Item, value: Any) -> list[Any]:
    """A value of the file as answers to an item; codes become the options that are offered."""
    values = list(value) if isinstance(value, tuple) else [value]
    if item.kind is Kind.CHOICE:
        return [option.code for one in values for option in item.options if option.code.code == one]
    return [one for one in values if one not in (None, "")]


def _recorded(store: Store, form: Form, files: list[str]) -> Answers:
    """What stands in the file as resources of its own: illnesses, allergies, hospital stays, home beds."""
    made: dict[str, list[Any]] = {}
    links = {one.link: one for one in form.walk()}
    if "disease" in links:
        made["disease"] = [
            one for condition in store.select("Condition", patient=files) if (one := _disease(condition, links["disease-code"]))
        ]
    if "problem" in links:
        active = [one for one in store.select("Condition", patient=files) if is_active(one)]
        made["problem"] = [option.code for option in links["problem"].options if any(_is_coded(one, option.code.code) for one in active)]
    if "allergy" in links:
        made["allergy"] = [
            one for entry in store.select("AllergyIntolerance", patient=files) if (one := _allergy(entry, links["allergy-class"]))
        ]
    if "bed" in links:
        made["bed"] = [
            _spell("bed", one.get("period", {}), "本机构")
            for one in store.select("EpisodeOfCare", patient=files)
            if "home-bed" in codes(one.get("type", []), HOME_CARE)
        ]
    if "stay" in links:
        stays = stays_of(store, files, "finished")
        made["stay"] = [_spell("stay", one.get("period", {}), one.get("serviceProvider", {}).get("display", "")) for one in stays]
    return {link: [one for one in values if one] for link, values in made.items() if any(values)}


def _disease(condition: Resource, item: Item) -> Answers | None:
    if not is_active(condition):
        return None
    code = next((option.code for option in item.options if _is_coded(condition, option.code.code)), None)
    text = condition.get("code", {}).get("text") or next((c.get("display", "") for c in condition.get("code", {}).get("coding", ())), "")
    if code is None and not text:
        return None
    onset = str(condition.get("onsetDateTime", ""))[:10]
    since = {"disease-since": [date.fromisoformat(onset)]} if len(onset) == len("2026-01-01") else {}
    return {"disease-code": [code or text], **since}


def _allergy(entry: Resource, item: Item) -> Answers | None:
    group = next(iter(codes(entry.get("code"), _DRUG_CLASS)), "")
    text = entry.get("code", {}).get("text", "")
    named = next((one.code.code for one in item.options if text and (text in one.code.zh or one.code.zh.rstrip("类") in text)), "other")
    code = next((option.code for option in item.options if option.code.code == (group or named)), None)
    if not is_active(entry) or code is None or not (group or text) or entry["id"].startswith("no-drug-allergy"):
        return None
    name = text.replace(code.zh, "").strip() if group else text
    return {"allergy-class": [code], **({"allergy-name": [name]} if name else {})}


def _spell(link: str, period: Resource, place: str) -> Answers:
    made: dict[str, list[Any]] = {}
    for end, name in (("start", "start"), ("end", "end")):
        day = str(period.get(end, ""))[:10]
        if len(day) == len("2026-01-01"):
            made[f"{link}-{name}"] = [date.fromisoformat(day)]
    return made | ({f"{link}-place": [place]} if place and made else {})


def _is_coded(condition: Resource, code: str) -> bool:
    found = [str(c.get("code", "")) for c in condition.get("code", {}).get("coding", ()) if "icd" in str(c.get("system", "")).lower()]
    return any(one.upper().startswith(code) for one in found)
