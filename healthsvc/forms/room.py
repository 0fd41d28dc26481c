"""What every write of a QuestionnaireResponse must pass, through whatever door it comes, and what it brings about."""

from typing import Final

from healthsvc.errors import RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.forms.personal import update_file
from healthsvc.forms.rules import DONE
from healthsvc.forms.service import must_be_possible, read, write_meaning
from healthsvc.healthfile.service import retag
from healthsvc.store import Room, Store


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a filled-in form: no impossible answer; what it says is written in the same transaction, and rewritten when it is amended."""
    was_done = old is not None and old.get("status") in DONE
    if new is None:
        if was_done:
            raise RuleViolation("a finished form is kept; amend it, or enter it in error", reason="form-keep", path="QuestionnaireResponse")
        return
    if was_done and old is not None:
        if new.get("questionnaire") != old.get("questionnaire") or new.get("subject") != old.get("subject"):
            raise RuleViolation("a finished form keeps its questionnaire and its person", reason="form-keep", path="QuestionnaireResponse")
        if new.get("status") not in (*DONE, "entered-in-error"):
            raise RuleViolation("a finished form is amended, not reopened", reason="form-transition", path="QuestionnaireResponse.status")
    if new.get("status") == "entered-in-error":
        write_meaning(store, old, None)
        return
    found = read(store, new)
    if found is None:
        return
    must_be_possible(found)
    if new.get("status") in DONE:
        write_meaning(store, old, new)
        update_file(store, new, found)
        retag(store, new["subject"]["reference"].rpartition("/")[2])


ROOM: Final = Room("forms", frozenset({"QuestionnaireResponse"}), admit)
