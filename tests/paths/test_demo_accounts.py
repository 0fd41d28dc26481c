"""The demonstration lets in everybody who meets the product, each with the own eyes."""

from datetime import UTC, datetime

from sqlalchemy import select

from healthsvc.access.accounts import USER, accounts, sign_in
from healthsvc.access.rules import Role
from healthsvc.store import Actor, Database
from integrations.demo.accounts import let_in
from integrations.demo.district import Staff

AT = datetime(2026, 11, 29, 11, tzinfo=UTC)
STAFF = (
    Staff("d1", "程致远", "doctor", "s1"),
    Staff("n1", "周砚秋", "nurse", "s1"),
    Staff("n2", "林知夏", "nurse", "s1", infusion=True),
)


def test_every_role_of_a_person_has_an_account_and_whoever_visits_is_one_of_the_staff(database: Database) -> None:
    with database.writing(Actor("command/demo", "demo", frozenset({"system"}), "command"), at=AT) as store:
        logins = let_in(store, STAFF)
        held = {one.login: one for one in accounts(store)}
        hashes = set(store.connection.execute(select(USER.c.password)).scalars())
    assert set(held) == set(logins.logins)
    assert {role for one in held.values() for role in one.roles} == set(Role) - {Role.SYSTEM}
    assert (held["doctor"].practitioner, held["nurse"].practitioner, held["nurse"].name) == ("Practitioner/d1", "Practitioner/n2", "林知夏")
    assert not any(one.must_change for one in held.values())
    assert len(hashes) == len(held)
    told = "\n".join(logins.lines("http://127.0.0.1:8000/"))
    assert logins.password in told
    assert all(login in told for login in held)
    assert sign_in(database, "nurse", logins.password, source="127.0.0.1", at=AT).confirmed
