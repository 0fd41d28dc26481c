"""One installation: its settings, its policy and its opened database with every room's rules in force."""

from dataclasses import dataclass
from pathlib import Path

from healthsvc.config import Settings
from healthsvc.logs import settings_for
from healthsvc.policy import Policy
from healthsvc.policy import load as load_policy
from healthsvc.rooms import ROOMS
from healthsvc.store import Database


@dataclass(frozen=True, slots=True)
class Installation:
    """What every command works with."""

    settings: Settings
    policy: Policy
    database: Database

    def close(self) -> None:
        """Write what is waiting and let go."""
        self.database.close()


def open_installation(data: Path | None = None, *, settings: Settings | None = None) -> Installation:
    """Open (or make) the installation in a data directory.

    Raises:
        Invalid: a setting or a policy file is wrong; the text says which and how to mend it.
        Unavailable: the database does not answer.
    """
    settings = settings or settings_for(data)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    policy = load_policy(settings.data / "policy", settings.jurisdiction)
    database = Database.open(settings.database_url, rooms=ROOMS, policy=policy, zone=settings.zone)
    return Installation(settings, policy, database)
