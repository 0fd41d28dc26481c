"""随身 why a record was refused, a line for each thing to mend, in the reader's language."""

from healthsvc.errors import Issue, Refusal
from healthsvc.forms import service as forms
from healthsvc.store import Store
from healthsvc.web.pocket_sent import Sent
from healthsvc.web.render import Page
from healthsvc.web.visit import wrong_lines


def wrong(store: Store, page: Page, sent: Sent, refusal: Refusal) -> list[str]:
    """What is wrong; where a form's item is meant, with its title."""
    titles = _titles(store, page, sent)
    told = []
    for issue in refusal.issues:
        title = titles.get(_link(issue))
        if title:
            what = "缺少答案" if issue.code == "required" else "数值不合理或无法识别，请核对"
            told.append(f"{title}{page.say('：')}{page.say(what)}")
    return list(dict.fromkeys(told)) or wrong_lines(refusal, page)


def _titles(store: Store, page: Page, sent: Sent) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in sent.forms:
        try:
            asked, _ = forms.named(store, one.name)
        except Refusal:
            continue  # the form is gone: the refusal itself says so
        found |= {item.link: (item.zh if page.language == "zh" or not item.en else item.en) for item in asked.walk()}
    return found


def _link(issue: Issue) -> str:
    path = issue.path or ""
    return path.partition("linkId='")[2].partition("'")[0] or path
