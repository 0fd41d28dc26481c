"""The hospital lines as a site has set them: who may connect and how many, with TLS, and from where they are answered."""

import socket
from collections.abc import Sequence

import structlog

from healthsvc.config import Settings
from healthsvc.errors import Unavailable
from healthsvc.installation import Installation
from healthsvc.store import Database
from healthsvc.store.journals import LineJournal
from integrations.address import Address, allowed_peers
from integrations.feeds import Feeds
from integrations.hospitals.shelf import Shelf
from integrations.mllp.limits import Limits
from integrations.mllp.room import handed_down
from integrations.mllp.tls import server_context

log = structlog.get_logger()


def limits_of(settings: Settings) -> Limits:
    """What the site has set."""
    return Limits(connections=settings.mllp_connections, per_peer=settings.mllp_connections_per_peer, message_bytes=settings.message_limit)


def feeds_of(here: Installation, shelf: Shelf, mllp: Address, doors: Sequence[socket.socket] = ()) -> Feeds:
    """The lines of this process, not begun yet; ``doors``: listening sockets that it shares with others.

    Raises:
        Invalid: a certificate cannot be used, or no profile may listen there.
    """
    settings, limits = here.settings, limits_of(here.settings)
    tls = None
    if settings.mllp_certificate is not None:
        tls = server_context(settings.mllp_certificate, settings.mllp_key, settings.mllp_client_ca)
    names = frozenset(name for name in (one.strip() for one in settings.mllp_client_names.split(",")) if name)
    return Feeds(
        here.database,
        shelf,
        mllp.host,
        mllp.port,
        limits=limits,
        tls=tls,
        allowed=allowed_peers(settings.mllp_peers),
        names=names,
        journal=_journal(here.database),
        doors=doors,
        room=handed_down(limits) if doors else None,
    )


def _journal(database: Database) -> LineJournal | None:
    """From what the lines of this process are answered; None: from the database, as on PostgreSQL."""
    if database.engine.dialect.name != "sqlite":
        return None
    try:
        return LineJournal.take(database)
    except Unavailable as refusal:
        log.warning("the hospital lines have no journal and answer from the database", reason=refusal.text)
        return None
