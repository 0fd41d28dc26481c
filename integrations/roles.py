"""What one process may do: everything, or one role alone."""

from enum import StrEnum


class Role(StrEnum):
    """What a process may do alone."""

    API = "api"
    FEEDS = "feeds"
    WORKER = "worker"
    TIMERS = "timers"
