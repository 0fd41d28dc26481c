"""个人基本信息: what the national form asks of a person beyond name and number."""

from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Allowance:
    """护理费: whether it is approved, how much a month (yuan), from when until when. Nothing is paid here."""

    approved: bool
    amount: Decimal | None = None
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class Background:
    """What is known of a person's circumstances; empty where it is not known."""

    former_unit: str = ""
    """工作单位: of the retired the last one."""
    household: str = ""
    """常住类型: registered, unregistered."""
    ethnicity: str = ""
    education: str = ""
    occupation: str = ""
    marital: str = ""
    """GB/T 2261.2."""
    payment: tuple[str, ...] = ()
    carer: str = ""
    """照护人."""
    keeper: str = ""
    """专项档案专管人: who keeps the special file."""
    allowance: Allowance | None = None

    def with_told(self, told: "Background") -> "Background":
        """What is known after something was told: what was not told stays."""
        new: dict[str, Any] = {one.name: value for one in fields(Background) if (value := getattr(told, one.name)) not in ("", (), None)}
        return replace(self, **new)


NOTHING: Final = Background()
"""Nothing is known."""
