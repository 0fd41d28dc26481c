"""One installation: its settings, its policy and its opened database with every room's rules in force."""

import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from sqlalchemy.exc import ArgumentError, DBAPIError

from healthsvc import clock
from healthsvc.config import DATABASE, Settings
from healthsvc.errors import Conflict, Invalid, Unavailable
from healthsvc.fhir.conformance.publish import resources
from healthsvc.fhir.json import Resource, dumps
from healthsvc.forms import publish as forms
from healthsvc.indicators.resources import to_measure
from healthsvc.indicators.rules import MEASURES
from healthsvc.logs import settings_for
from healthsvc.policy import Policy
from healthsvc.policy import load as load_policy
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database
from healthsvc.store.postgres import ServerUse, said
from healthsvc.store.stored import micros
from healthsvc.store.witness import Witness

PUBLISHED: Final = "conformance"
"""The claim that remembers which content was published; its holder is the digest."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What every command works with."""

    settings: Settings
    policy: Policy
    database: Database

    @property
    def witness(self) -> Witness:
        """Notes outside the database where the audit ends."""
        return Witness(self.settings.witness_file, self.database.sealer)

    def close(self) -> None:
        """Write what is waiting and let go."""
        self.database.close()


def open_installation(data: Path | None = None, *, settings: Settings | None = None) -> Installation:
    """Open (or make) the installation in a data directory.

    Raises:
        Invalid: a setting or a policy file is wrong; the text says which and how to mend it.
        Unavailable: the data directory cannot be made, or the database does not answer.
    """
    settings = settings or settings_for(data)
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if settings.database is None:  # what SQLite makes by itself others may read; its log and index take the mode of the file
            os.close(os.open(settings.data / DATABASE, os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Unavailable(
            f"the data directory cannot be made, or the database in it not opened: {error.strerror}; name another one with --data, "
            "or call this as the user whose it is"
        ) from None
    policy = load_policy(settings.data / "policy", settings.jurisdiction)
    keys = settings.signing_keys or settings.data / "signing-keys"
    try:
        use = ServerUse(**settings.server_use)
        database = Database.open(
            settings.database_url,
            rooms=ROOMS,
            policy=policy,
            zone=settings.zone,
            signing_keys=keys,
            server=use,
            sealing_keys=settings.sealing_folder,
            seal_everything=settings.seal_everything,
            bases=[f"{settings.public_url.rstrip('/')}/fhir"] if settings.public_url else (),
            replica=settings.database_replica,
            replica_patience=settings.database_replica_seconds,
            replica_bound=settings.database_replica_behind_seconds,
        )
    except DBAPIError as error:
        words = said(error.orig)[0] or " ".join(str(error.orig).split())[:200]
        raise Unavailable(f"the database cannot be opened: {words}") from None
    except (ArgumentError, ImportError) as error:  # the url may carry a password: only the kind of fault is told
        kind = type(error).__name__
        raise Invalid(f"HEALTHSVC_DATABASE is no SQLAlchemy url of SQLite or PostgreSQL ({kind})", reason="setting") from None
    database.reads.before_answer = settings.audit_before_answer
    return Installation(settings, policy, database)


def published(policy: Policy | None = None) -> tuple[Resource, ...]:
    """Everything that an installation publishes: profiles, code systems, operations, measures, and the forms with the limits in force."""
    return (*resources(), *map(to_measure, MEASURES), *forms.resources(policy or load_policy(), clock.today()))


def publish_conformance(database: Database) -> int:
    """Put our profiles, code systems, operations and forms where clients look for them; gives how many were new or had changed.

    Called when an installation opens to serve; costs one look where this very content was published before. Of several processes that
    start at once one writes, the others wait for it and then find nothing to write.
    """
    made = published(database.policy)
    digest = blake2b(dumps(list(made)), digest_size=16).hexdigest()
    with database.reading(SYSTEM, at=clock.now()) as store:
        if store.holder(PUBLISHED) == digest:
            return 0
    with database.writing(SYSTEM, at=clock.now()) as store:
        held = store.holder(PUBLISHED)
        if held == digest:
            return 0
        if held is not None:
            store.release(PUBLISHED, held)
        try:
            store.claim(PUBLISHED, digest)
        except Conflict:
            return 0  # a process of another release publishes at this very moment; the next start of either settles it
        return sum(store.write(one).updated == micros(store.at) for one in made)
