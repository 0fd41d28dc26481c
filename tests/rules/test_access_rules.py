"""Who may do what, lock-out, session life: pure rules."""

from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.access import rules
from healthsvc.access.rules import AccessPolicy, Action, Lock, Role, SessionLife
from healthsvc.errors import Invalid, RuleViolation

POLICY = AccessPolicy(10, 5, 15, 20, 10, 90, 366, 1)
AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def test_every_role_has_its_rights_in_the_table() -> None:
    assert set(rules.PERMITS) == set(Role) == set(rules.ROLE_TITLES)


@pytest.mark.parametrize(
    ("role", "action", "allowed"),
    [
        ("doctor", "read-clinical", True),
        ("nurse", "plan", False),
        ("coordinator", "plan", True),
        ("bureau", "figures", True),
        ("bureau", "read-clinical", False),
        ("hospital-window", "window", True),
        ("hospital-window", "read-clinical", False),
        ("operator", "operate", True),
        ("operator", "read-clinical", False),
        ("auditor", "audit", True),
        ("auditor", "write-clinical", False),
        ("somebody-else", "directory", False),
    ],
)
def test_a_role_may_what_its_work_needs(role: str, action: str, allowed: bool) -> None:
    assert rules.allows(frozenset({role}), action) is allowed


def test_nobody_may_anything_without_a_role() -> None:
    assert not any(rules.allows(frozenset(), action) for action in Action if action is not Action.SELF)


def test_a_directory_may_be_read_by_those_who_may_not_read_people() -> None:
    bureau = frozenset({"bureau"})
    assert rules.allows(bureau, "read-clinical", "Organization")
    assert not rules.allows(bureau, "read-clinical", "Patient")
    assert not rules.allows(bureau, "write-clinical", "Organization")


def test_the_audit_is_for_auditors_only() -> None:
    assert rules.allows(frozenset({"auditor"}), "read-clinical", "AuditEvent")
    assert not rules.allows(frozenset({"doctor"}), "read-clinical", "AuditEvent")
    for role in Role:
        assert not rules.allows(frozenset({role}), "write-clinical", "AuditEvent")


def test_no_administrator_reads_a_file_and_no_role_may_do_everything() -> None:
    for role in rules.ADMINISTRATORS:
        assert not rules.allows(frozenset({role}), "read-clinical", "Patient")
        assert not rules.allows(frozenset({role}), "write-clinical", "Patient")
    assert all(held != set(rules.Action) for held in rules.PERMITS.values())
    assert set(rules.PERMITS) == set(Role) == set(rules.ROLE_TITLES)


def test_three_administrators_are_three_persons() -> None:
    assert rules.roles_of(" nurse, coordinator,nurse") == ("coordinator", "nurse")
    for pair in combinations(sorted(rules.ADMINISTRATORS), 2):
        with pytest.raises(RuleViolation):
            rules.roles_of(",".join(pair))
        assert rules.roles_of(",".join(pair), apart=False) == tuple(sorted(pair))
    with pytest.raises(Invalid):
        rules.roles_of(" , ")


def test_the_fifth_failure_locks_and_time_opens_again() -> None:
    lock = Lock(0, None)
    for _ in range(4):
        lock = lock.fail(AT, POLICY)
        assert not lock.shut(AT)
    lock = lock.fail(AT, POLICY)
    assert lock.shut(AT + timedelta(minutes=14, seconds=59))
    assert not lock.shut(AT + timedelta(minutes=15))


@given(idle=st.integers(0, 3000), age=st.integers(0, 3000))
def test_a_session_ends_by_idleness_or_by_age(idle: int, age: int) -> None:
    life = SessionLife(timedelta(minutes=30), timedelta(hours=12))
    alive = life.alive(AT - timedelta(minutes=age), AT - timedelta(minutes=idle), AT)
    assert alive is (idle < 30 and age < 12 * 60)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaa", "xx-wangli-2026"])
def test_weak_passwords_are_refused_with_the_reason(password: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        rules.check_password(password, "wangli", POLICY)
    assert refused.value.reason
    assert password not in refused.value.text


@pytest.mark.parametrize("login", ["", "a", "1a", "a b", "王丽", "a" * 33, "a'--"])
def test_odd_logins_are_refused(login: str) -> None:
    with pytest.raises(Invalid):
        rules.check_login(login)


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "", None, "/a\r\nSet-Cookie: x", "javascript:alert(1)"]
)
def test_sign_in_never_leads_to_another_site(path: str | None) -> None:
    assert rules.safe_return(path) == "/"


def test_a_write_by_cookie_comes_from_our_own_pages() -> None:
    assert rules.same_origin("h:8080", "http://h:8080", None)
    assert rules.same_origin("h:8080", None, "same-origin")
    assert not rules.same_origin("h:8080", "http://evil.example", None)
    assert not rules.same_origin("h:8080", "http://h:8080", "cross-site")
    assert not rules.same_origin("h:8080", "null", None)


def test_a_missing_secret_never_matches() -> None:
    assert not rules.same_secret(None, "x")
    assert not rules.same_secret("密", "x")
    assert rules.same_secret("x", "x")
