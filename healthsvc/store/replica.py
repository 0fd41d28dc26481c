"""A standby that answers long reads (figures, ledgers, bulk export) instead of the primary, and never with less than the primary knew.

Before each read the primary is asked how far its log has come, and the standby whether it has replayed as much. So whoever reads sees
what they have written, an ended right has ended, and every term is known; the price is one short question to the primary. A standby that
lags, or does not answer, is waited for a little, then the primary answers itself.
"""

import time
from typing import Final

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from healthsvc.store.postgres import ServerUse, connect

log = structlog.get_logger()
LOOK_SECONDS: Final = 0.02
REST_SECONDS: Final = 5.0
"""So long a standby is left alone that did not answer."""
_WRITTEN: Final = text("SELECT pg_current_wal_lsn()::text")
_REPLAYED: Final = text("SELECT coalesce(pg_last_wal_replay_lsn() >= CAST(:lsn AS pg_lsn), false)")


class Replica:
    """One standby of a primary."""

    def __init__(self, url: str, use: ServerUse, patience: float) -> None:
        """``patience``: seconds for which a standby that lags is waited for."""
        # every connection says that it only reads: a standby refuses a transaction that might write
        self.engine = connect(url, use).execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._patience = patience
        self._left_alone = 0.0

    def has_all(self, primary: Engine) -> bool:
        """Whether it knows everything that was committed before this moment."""
        if time.monotonic() < self._left_alone:
            return False
        with primary.connect() as connection:
            written = connection.execute(_WRITTEN).scalar_one()
        until = time.monotonic() + self._patience
        try:
            while True:
                with self.engine.connect() as connection:  # a transaction of its own: the snapshot of the read comes after the answer
                    if connection.execute(_REPLAYED, {"lsn": written}).scalar_one():
                        return True
                if time.monotonic() >= until:
                    log.warning("the standby lags; the primary answers", seconds=self._patience)
                    return False
                time.sleep(LOOK_SECONDS)
        except DBAPIError as error:
            log.warning("the standby does not answer; the primary does", error=type(error).__name__)
            self._left_alone = time.monotonic() + REST_SECONDS
            return False
