"""Messages by HTTP, folder or an operator go behind what the lines of other processes have answered before them."""

from pathlib import Path
from typing import Final

import structlog

from healthsvc.store import Database
from healthsvc.store.journals import carry_left
from healthsvc.store.journals_read import carried_before

log = structlog.get_logger()
BEFORE_SECONDS: Final = 1.0
"""So long they wait for that at most: three times the longest that a process waits for more to carry."""


def let_others_go_before(database: Database) -> None:
    """Wait until what stands in journals beside this embedded database is in the inbox; costs a look where nothing does.

    Raises:
        Unavailable: the database does not take what a process has left that is gone.
    """
    beside = Path(database.engine.url.database or "")
    if carried_before(beside, 0):
        return
    carry_left(database)  # for what nobody holds one would wait in vain
    if not carried_before(beside, BEFORE_SECONDS):
        log.warning("hl7 messages go before what lines of other processes have answered")
