"""One account for each who meets the product, so that a newcomer can look at it with everybody's eyes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from healthsvc.access.accounts import create_user, random_password
from healthsvc.access.rules import ROLE_TITLES, Role
from healthsvc.store import Store
from integrations.demo.district import Staff

LOGIN: Final = "demo"
"""The head of the centre, who sees all that care has to show."""

_LOGINS: Final = (
    (LOGIN, Role.CENTRE_HEAD, "演示 Demo"),
    ("doctor", Role.DOCTOR, None),
    ("nurse", Role.NURSE, None),
    ("coordinator", Role.COORDINATOR, "排班协调员"),
    ("window", Role.HOSPITAL_WINDOW, "医院挂号窗口"),
    ("bureau", Role.BUREAU, "老干部局"),
    ("hotline", Role.HOTLINE, "一键通值守"),
    ("operator", Role.OPERATOR, "运行维护"),
    ("sysadmin", Role.SYSTEM_ADMIN, "系统管理员"),
    ("secadmin", Role.SECURITY_ADMIN, "安全管理员"),
    ("auditor", Role.AUDITOR, "审计员"),
)
_VISITING: Final = ("doctor", "nurse")


@dataclass(frozen=True, slots=True)
class Logins:
    """The logins of a demonstration, and the one random password of all of them."""

    logins: tuple[str, ...]
    password: str

    def lines(self, url: str) -> list[str]:
        """Where to sign in, and as whom."""
        others = [f"{ROLE_TITLES[kind]} {login}" for login, kind, _name in _LOGINS if login != LOGIN]
        half = (len(others) + 1) // 2
        return [
            f"pages 页面     {url}   sign in as {LOGIN} / {self.password}",
            f"同一密码 same password: {', '.join(others[:half])},",
            f"    {', '.join(others[half:])} (the last three set up a second factor first)",
        ]


def let_in(store: Store, staff: Sequence[Staff]) -> Logins:
    """Make the accounts; doctor and nurse are members of the staff, the nurse one who may give infusions."""
    password = random_password()
    for login, kind, name in _LOGINS:
        one = _who_visits(staff, kind) if kind in _VISITING else None
        create_user(
            store,
            login,
            kind,
            name=name or (one.name if one else ""),
            practitioner=one.reference if one else None,
            password=password,
            must_change=False,
        )
    return Logins(tuple(login for login, _kind, _name in _LOGINS), password)


def _who_visits(staff: Sequence[Staff], kind: str) -> Staff:
    of_kind = [one for one in staff if one.role == kind]
    return next((one for one in of_kind if one.infusion), of_kind[0])
