"""Reminders to staff: a look at a running drip is overdue. The notice names no person at home; who opens the page sees whom it is about."""

from typing import Any

from healthsvc.store import Store
from integrations.notify import Notice

TEXT = "有一次上门输液的巡视已逾时,请立即查看。 A look at a running infusion is overdue; please check at once."


def reminder(store: Store, payload: dict[str, Any]) -> Notice | None:
    """The notice for one member of the staff; None where the directory gives no telephone or address."""
    found = store.find("Practitioner", payload["who"]) or {}
    to = next(
        (one["value"] for one in found.get("telecom", ()) if one.get("system") in ("phone", "sms", "email") and one.get("value")), None
    )
    return Notice(f"{payload['key']}-{payload['who']}", str(to), "staff", TEXT) if to else None
