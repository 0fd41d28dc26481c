"""What is done by the clock: each job calls one service and is idempotent. Times are the site's."""

from datetime import date, timedelta
from pathlib import Path

from healthsvc.access.accounts import forget_attempts
from healthsvc.access.audit import anchor, forget
from healthsvc.access.provider.service import forget_handovers
from healthsvc.access.rules import SessionLife
from healthsvc.access.sessions import forget_sessions
from healthsvc.access.smart.grants import forget_tokens
from healthsvc.checkup.ladder import escalate
from healthsvc.checkup.service import settle_calendar
from healthsvc.circle.service import refresh as refresh_circle
from healthsvc.contract.cards import NIGHTLY
from healthsvc.contract.cards import refresh as refresh_cards
from healthsvc.contract.renewal import expire_due
from healthsvc.contract.renewal import remind as remind_renewals
from healthsvc.greenchannel.service import refresh
from healthsvc.healthfile.service import refresh_tags
from healthsvc.homebed.service import stop_expired
from healthsvc.infusion.service import miss_late
from healthsvc.infusion.watch import remind
from healthsvc.jobs import Job
from healthsvc.mustvisit.service import refresh as put_on_list
from healthsvc.rest.export.jobs import forget as forget_exports
from healthsvc.rest.export.later import leave_again
from healthsvc.rest.export.run import FOLDER as EXPORTS
from healthsvc.store import Store, lease
from healthsvc.store.progress import forget as forget_work
from healthsvc.subscription.service import forget_events


def jobs(life: SessionLife, data: Path | None = None) -> tuple[Job, ...]:
    """The jobs of an installation; ``life`` says when page sessions end, ``data`` where its roads are."""
    return (
        Job("contracts-expire", "5 0 * * *", lambda store: expire_due(store, _today(store))),
        Job("contracts-renewal", "30 7 * * *", lambda store: remind_renewals(store, _today(store))),
        Job("contact-cards", "*/10 * * * *", refresh_cards),
        Job("contact-cards-nightly", "15 1 * * *", lambda store: refresh_cards(store, NIGHTLY)),
        Job("home-beds-end", "10 0 * * *", lambda store: stop_expired(store, _today(store))),
        Job("infusion-doses-missed", "*/10 * * * *", miss_late),
        Job("infusion-late-looks", "* * * * *", remind),
        Job("risk-tags", "20 0 * * *", refresh_tags),
        Job("green-channel", "30 0 * * *", lambda store: refresh(store, _today(store))),
        Job("checkup-calendar", "40 0 * * *", settle_calendar),
        Job("checkup-ladder", "0 7 * * *", lambda store: escalate(store, _today(store))),
        Job("must-visits", "30 6 * * *", lambda store: put_on_list(store, _today(store))),
        Job("circle", "50 0 * * *", lambda store: refresh_circle(store, data)),
        Job("sessions-forget", "*/30 * * * *", lambda store: _forget_access(store, life)),
        Job("audit-anchor", "*/5 * * * *", anchor),
        Job("audit-forget", "25 3 * * *", forget),
        Job("subscription-events-forget", "35 3 * * *", forget_events),
        Job("work-forget", "40 3 * * *", forget_work),
        Job("firings-forget", "45 3 * * *", _forget_firings),
        *([Job("exports-forget", "25 * * * *", lambda store: (leave_again(store), forget_exports(store, data / EXPORTS)))] if data else []),
    )


def _forget_access(store: Store, life: SessionLife) -> None:
    """Whatever of sign-ins has ended."""
    forget_sessions(store, life)
    forget_attempts(store)
    forget_tokens(store)
    forget_handovers(store)


def _forget_firings(store: Store) -> int:
    """Runs of timers are kept for ``rest.firing_keep_days``."""
    days = int(store.policy.value("rest.firing_keep_days", _today(store)))
    return lease.forget(store.connection, store.at - timedelta(days=days))


def _today(store: Store) -> date:
    return store.today
