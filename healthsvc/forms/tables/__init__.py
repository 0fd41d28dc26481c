"""The forms as tables: what is asked, in this order. Field names are those of the national forms; the wording is ours."""

from typing import Final

from healthsvc.forms.rules import Form
from healthsvc.forms.tables.checkup import BASIC, FULL
from healthsvc.forms.tables.followup import DIABETES, HYPERTENSION
from healthsvc.forms.tables.person import PERSONAL
from healthsvc.forms.tables.screens import COGNITION, MOOD, SELF_CARE

FORMS: Final[dict[str, Form]] = {
    one.name: one for one in (PERSONAL, FULL, BASIC, SELF_CARE, HYPERTENSION, DIABETES, COGNITION, MOOD)
}  # fmt: skip
"""Name (and id of the Questionnaire) -> form."""
BY_URL: Final = {form.url: form for form in FORMS.values()}
