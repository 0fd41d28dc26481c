"""A filled-in form in words, and what was measured last, to stand beside an empty field."""

from typing import Any

from healthsvc.forms.rules import Answers, Form, Item, Kind
from healthsvc.healthfile.service import replaced
from healthsvc.store import Store
from healthsvc.web.render import Page


def lines(items: tuple[Item, ...], given: Answers, page: Page, depth: int = 0) -> list[tuple[int, str, str]]:
    """A filled-in form as lines: depth, what was asked, what was answered (empty for a heading)."""
    made: list[tuple[int, str, str]] = []
    for item in items:
        title = item.zh if page.language == "zh" or not item.en else item.en
        for one in given.get(item.link, ()) if item.kind is Kind.GROUP else ():
            made.append((depth, title, ""))
            made += lines(item.items, one, page, depth + 1)
        if item.kind is not Kind.GROUP and given.get(item.link):
            words = [_words(one, page) for one in given[item.link]]
            made.append((depth, title, f"{'、'.join(words)} {item.unit}".strip()))
    return made


def _words(value: Any, page: Page) -> str:
    if isinstance(value, bool):
        return page.say("是") if value else page.say("否")
    name = getattr(value, "zh" if page.language == "zh" else "en", None)
    return str(name or getattr(value, "code", value))


def last_time(store: Store, form: Form, patient: str) -> dict[str, str]:
    """What was measured last, by linkId, as a hint beside the empty field."""
    wanted = {one.link: one.code.code for one in form.walk() if one.code is not None and one.kind in (Kind.INTEGER, Kind.DECIMAL)}
    files = [patient, *replaced(store, patient)]
    seen: dict[str, tuple[str, str]] = {}
    for observation in store.select("Observation", patient=files):
        when = str(observation.get("effectiveDateTime", ""))
        if observation.get("status") in ("entered-in-error", "cancelled"):
            continue
        right = any(c.get("code") == "368209003" for c in observation.get("bodySite", {}).get("coding", ()))
        for part in (observation, *observation.get("component", ())):
            codes = {c.get("code") for c in part.get("code", {}).get("coding", ())}
            value = part.get("valueQuantity", {}).get("value")
            for link, code in wanted.items():
                side = link.endswith("-right") == right or not link.endswith(("-left", "-right"))
                if value is not None and code in codes and side and when > seen.get(link, ("", ""))[0]:
                    seen[link] = (when, f"{value}")
    return {link: f"{value}（{when[:10]}）" for link, (when, value) in seen.items()}
