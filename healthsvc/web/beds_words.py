"""Words and small findings of the pages of beds and infusions: refusals line by line, codes in the reader's language."""

from dataclasses import dataclass
from datetime import datetime

from healthsvc.errors import Refusal
from healthsvc.fhir.conformance.publish import CODE_TABLES
from healthsvc.homebed.rules.bed import Bed
from healthsvc.store import Store
from healthsvc.web import words
from healthsvc.web.render import Page


def told_of(page: Page, refusal: Refusal | None) -> list[str]:
    """Everything that a refusal says, one line each, in the reader's language; what has no Chinese words yet is told as it is."""
    if refusal is None:
        return []
    lines = []
    for issue in refusal.issues:
        code, _, text = issue.text.partition(": ")
        known = words.reasons().get(code) if text else None
        lines.append(text or code if page.language == "en" and known else known or issue.text)
    whole = page.told(refusal)
    return lines if len(lines) > 1 or (lines and not refusal.reason) else [whole]


@dataclass(frozen=True, slots=True)
class Made:
    """A round that was made: when it began and ended."""

    id: str
    start: datetime
    end: datetime


def made_round(store: Store, bed: Bed, visit: str) -> Made | None:
    """The round of this bed under that id, where it has been made."""
    task = store.find("Task", visit) if visit else None
    period = (task or {}).get("executionPeriod", {})
    if task is None or not {"start", "end"} <= set(period) or {"reference": f"EpisodeOfCare/{bed.id}"} not in task.get("basedOn", ()):
        return None
    start, end = (datetime.fromisoformat(period[key]).astimezone(store.zone) for key in ("start", "end"))
    return Made(visit, start, end)


def spoken(page: Page, table: str, code: str) -> str:
    """A code of one of our code systems in the reader's language; the code itself where a site has added it."""
    found = next((one for one in CODE_TABLES[table].codes if one.code == code), None)
    return code if found is None else found.en if page.language == "en" else found.zh


def why(page: Page, code: str, text: str) -> str:
    """A finding in the reader's language."""
    return text if page.language == "en" else words.reasons().get(code, text)
