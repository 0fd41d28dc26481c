"""账号与令牌 accounts of people and tokens of programs; a secret is shown once."""

from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc.access import accounts, tokens
from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.access.provider.service import expect
from healthsvc.access.rules import ROLE_TITLES, Role
from healthsvc.errors import RuleViolation
from healthsvc.store import Store
from healthsvc.web.lookup import is_of_hospital, name_of
from healthsvc.web.render import Page, SignedPage

router = APIRouter(dependencies=[needs("admin")])


@router.get("/users")
def users(page: SignedPage, store: StoreReading) -> Response:
    """All accounts and tokens."""
    return _show(page, store)


@router.post("/users")
def add(
    page: SignedPage,
    store: StoreWriting,
    login: Annotated[str, Form()],
    role: Annotated[str, Form()],
    name: Annotated[str, Form()] = "",
    practitioner: Annotated[str, Form()] = "",
    areas: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Make an account; its first password shows once."""
    password = accounts.create_user(store, login, role, name=name, practitioner=practitioner or None, areas=areas)
    return _show(page, store, secret=(page.say("账号 {login} 的首次密码", login=login), password))


@router.post("/users/{login}/active")
def set_active(page: SignedPage, store: StoreWriting, login: str, active: Annotated[bool, Form()]) -> Response:
    """Close an account or open it again."""
    if page.who and page.who.session and page.who.session.login == login:
        raise RuleViolation("nobody closes the account that they use; ask another administrator", reason="own-account")
    accounts.set_active(store, login, active)
    return RedirectResponse("/users", status_code=303)


@router.post("/users/{login}/areas")
def set_areas(store: StoreWriting, login: str, areas: Annotated[list[str] | None, Form()] = None) -> Response:
    """Say whose people an account looks after; none chosen means everybody."""
    accounts.set_areas(store, login, areas)
    return RedirectResponse("/users", status_code=303)


@router.post("/users/{login}/expected")
def set_expected(store: StoreWriting, login: str, expected: Annotated[str, Form(max_length=64)] = "") -> Response:
    """Say under which name of the identity provider this account may be taken; none: nobody may."""
    expect(store, login, expected)
    return RedirectResponse("/users", status_code=303)


@router.post("/users/{login}/password")
def reset(page: SignedPage, store: StoreWriting, login: str) -> Response:
    """Give an account another first password, shown once."""
    password = accounts.random_password()
    accounts.set_password(store, login, password, must_change=True)
    return _show(page, store, secret=(page.say("账号 {login} 的首次密码", login=login), password))


@router.post("/tokens")
def issue(page: SignedPage, store: StoreWriting, role: Annotated[str, Form()], name: Annotated[str, Form()] = "") -> Response:
    """Issue a token, shown once."""
    return _show(page, store, secret=(page.say("新令牌"), tokens.issue_token(store, role, name)))


@router.post("/tokens/{id}/revoke")
def revoke(store: StoreWriting, id: int) -> Response:
    """End a token now."""
    tokens.revoke(store, id)
    return RedirectResponse("/users", status_code=303)


def _show(page: Page, store: Store, *, secret: tuple[str, str] | None = None) -> Response:
    return page.show(
        "users.html", accounts=accounts.accounts(store), tokens=tokens.tokens(store), roles_known=ROLE_TITLES, secret=secret,
        now=store.at, provided=page.request.app.state.provider is not None,
        role_of=lambda code: ROLE_TITLES.get(Role(code), code),
        organizations=(known := {f"Organization/{one['id']}": name_of(one) for one in store.select("Organization")}),
        area_of=lambda reference: known.get(reference, reference),
        staff=sorted((f"Practitioner/{one['id']}", name_of(one)) for one in store.select("Practitioner") if not is_of_hospital(one)),
    )  # fmt: skip
