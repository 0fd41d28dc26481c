"""How a line comes in besides its sockets: the folder that is watched, how long a silence somebody must know of, whose clock is meant."""

from collections.abc import Callable, Collection
from typing import Any

from healthsvc.errors import Invalid
from integrations.hl7v2.zones import read_zone

BY_SENDER = "MSH-4"
"""The hospital of a profile that leaves it to each message."""
Wrong = Callable[[str, str], Invalid]
"""Makes the refusal of a setting, naming file and key."""


def read_silence(value: Any, wrong: Wrong) -> int | None:
    """Minutes without a message after which the line counts as silent; None: as the policy says."""
    if value is None or (type(value) is int and value >= 0):
        return value
    raise wrong("silence_minutes", "must be a whole number of minutes; 0 turns the alarm off")


def read_unended(value: Any, classes: Collection[str], hospital: str, wrong: Wrong) -> dict[str, int]:
    """Hours without a word after which a visit of a class is taken as ended; 0: never. A class that is not named is as the policy says."""
    if not isinstance(value, dict) or not all(type(one) is int and one >= 0 for one in value.values()):
        raise wrong("unended_hours", "must be a table of classes with whole hours, such as { AMB = 24 }; 0 never takes one as ended")
    if unknown := sorted(set(value) - set(classes)):
        raise wrong("unended_hours", f"{', '.join(unknown)} is no class of a visit; use {', '.join(sorted(classes))}")
    if value and hospital == BY_SENDER:
        raise wrong(
            "unended_hours", f"needs a profile that names its hospital; with hospital = {BY_SENDER} many share it, so set the policy"
        )
    return dict(value)


def read_folder(value: Any, wrong: Wrong) -> str:
    """The folder of the ``[receive]`` table; empty where there is none."""
    if not isinstance(value, dict) or set(value) - {"folder"} or not isinstance(value.get("folder", ""), str):
        raise wrong("receive", 'must be a table [receive] with folder = "/path"')
    return str(value.get("folder", ""))


def read_time_zone(value: Any, wrong: Wrong) -> str:
    """The zone of times without an offset; empty where MSH-7 decides."""
    if value == "" or (isinstance(value, str) and read_zone(value) is not None):
        return str(value)
    raise wrong("time_zone", 'must be an offset such as "+0800" or a zone such as "Asia/Shanghai"')
