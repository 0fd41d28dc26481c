"""The menu: each page, the right that it needs, its icon."""

from dataclasses import dataclass, replace
from typing import Final

from healthsvc.access.door import Who


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu."""

    path: str
    title: str
    icon: str
    needs: str | None = None
    here: bool = False
    visits: bool = False
    """For those who visit people themselves."""
    first: bool = False
    """Shown in the bar at the bottom of a phone; the others stand behind "more"."""


_IN_BAR: Final = 4
_ENTRIES: Final = (
    Entry("/", "今日", "today", "read-clinical"),
    Entry("/pocket", "随身", "home", "write-clinical", visits=True),
    Entry("/mine/day", "我的", "route", "read-clinical", visits=True),
    Entry("/board", "排班板", "route", "plan"),
    Entry("/people", "人员档案", "people", "read-clinical"),
    Entry("/beds", "家庭病床", "bed", "read-clinical"),
    Entry("/infusions", "上门输液", "drip", "read-clinical"),
    Entry("/contracts", "签约", "contract", "read-clinical"),
    Entry("/referrals", "双向转诊", "hospital", "read-clinical"),
    Entry("/reminders", "催办", "warn", "read-clinical"),
    Entry("/window", "医院窗口", "window", "window"),
    Entry("/channels", "绿色通道", "flag", "read-clinical"),
    Entry("/mustvisits", "五必到", "check", "read-clinical"),
    Entry("/emergency", "一键通", "phone", "emergency"),
    Entry("/circle", "十分钟圈", "home", "plan"),
    Entry("/roster", "名册导入", "roster", "write-clinical"),
    Entry("/pocket/desk", "随身交办", "task", "plan"),
    Entry("/figures", "考核统计", "figures", "figures"),
    Entry("/operate", "运行维护", "operate", "operate"),
    Entry("/glass/review", "紧急查阅审核", "audit", "review"),
    Entry("/users", "账号与令牌", "users", "admin"),
    Entry("/audit", "审计记录", "audit", "audit"),
    Entry("/progress", "后台任务", "task"),
    Entry("/policy", "现行规则", "policy"),
    Entry("/help", "使用帮助", "help"),
)
_UNLISTED: Final = (
    Entry("/mine", "我的", "route", "read-clinical", visits=True),
    Entry("/duplicates", "疑似重复档案", "people", "read-clinical"),
    Entry("/glass", "紧急查阅", "audit", "read-clinical"),
    Entry("/account", "登录会话", "users"),
)
"""Pages that other pages lead to and the menu does not."""


def menu(who: Who, path: str) -> list[Entry]:
    """The entries that this person may open; the one that is open is marked."""
    mine = who.session is not None and who.session.practitioner is not None
    open_ones = [entry for entry in _ENTRIES if (entry.needs is None or who.may(entry.needs)) and (mine or not entry.visits)]
    return [replace(entry, here=_is_here(entry.path, path), first=place < _IN_BAR) for place, entry in enumerate(open_ones)]


def home(who: Who) -> str:
    """The first page that this person may open."""
    return next((entry.path for entry in _ENTRIES if entry.needs and who.may(entry.needs)), "/help")


def may_open(who: Who, path: str) -> bool:
    """Whether this person may open a page: by the right of the entry that it stands under."""
    under = [entry for entry in (*_ENTRIES, *_UNLISTED) if path == entry.path or path.startswith(entry.path.rstrip("/") + "/")]
    entry = max(under, key=lambda one: len(one.path))
    visits = who.session is not None and who.session.practitioner is not None
    return (entry.needs is None or who.may(entry.needs)) and (visits or not entry.visits)


def _is_here(entry: str, path: str) -> bool:
    if entry == "/":
        return path == "/" or path.startswith(("/day", "/visits"))
    if entry == "/mine/day":
        return path.startswith("/mine/")
    return path == entry or (path.startswith(entry + "/") and entry != "/pocket")
