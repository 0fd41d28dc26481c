"""What a client needs to read our forms: the code systems of their items and answers."""

from collections.abc import Iterator
from datetime import date

from healthsvc.fhir.conformance.publish import CODE_TABLES, code_system, value_set
from healthsvc.fhir.conformance.tables import Code, CodeTable
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system as system_of
from healthsvc.forms.reading import ITEMS
from healthsvc.forms.service import questionnaires
from healthsvc.forms.tables import FORMS
from healthsvc.policy import Policy

_PREFIX = system_of("form-")


def resources(policy: Policy, on: date) -> Iterator[Resource]:
    """Questionnaires with the limits in force on a day, and the code systems and value sets that they use."""
    for table in tables():
        yield code_system(table)
        yield value_set(table)
    yield from questionnaires(policy, on)


def tables() -> list[CodeTable]:
    """The code systems: one of all items that have a code of ours, and one of each set of answers."""
    found: dict[str, dict[str, Code]] = {}
    for form in FORMS.values():
        for item in form.walk():
            named = [item.code] if item.code is not None else []
            for one in (*named, *(option.code for option in item.options)):
                if one.system.startswith(_PREFIX) or one.system == ITEMS:
                    found.setdefault(one.system.rpartition("/")[2], {}).setdefault(one.code, Code(one.code, one.zh, one.en))
    return [
        CodeTable(name, f"表单答案 {name}", f"Answers of forms: {name}", tuple(rows.values()))
        for name, rows in sorted(found.items())
        if name not in CODE_TABLES
    ]
