"""Reckon the figures once after a start, so that nobody waits until every record has been read and understood for the first time."""

import structlog

from healthsvc import clock
from healthsvc.errors import Refusal
from healthsvc.healthfile.service import today
from healthsvc.indicators.service import Asked, figures
from healthsvc.store import SYSTEM, Database

log = structlog.get_logger()


def warm(database: Database) -> None:
    """Reckon today's figures; what goes wrong is left for whoever asks to see."""
    try:
        with database.reading(SYSTEM, at=clock.now()) as store:
            figures(store, Asked(today(store)))
    except Refusal as refusal:
        log.warning("the figures were not reckoned ahead", reason=refusal.reason or refusal.issue_code)
