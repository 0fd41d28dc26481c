"""接入程序 programs that are let in by OAuth: register, what they may ask for, how they prove who they are, close."""

from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.access.rules import ROLE_TITLES, Role
from healthsvc.access.smart import clients, grants
from healthsvc.errors import Refusal
from healthsvc.store import Store
from healthsvc.web.lookup import name_of
from healthsvc.web.render import Page, SignedPage

router = APIRouter(dependencies=[needs("admin")])
Text = Annotated[str, Form(max_length=20_000)]


@router.get("/users/clients")
def listed(page: SignedPage, store: StoreReading) -> Response:
    """All of them."""
    return _show(page, store)


@router.post("/users/clients")
def add(
    page: SignedPage,
    store: StoreWriting,
    id: Annotated[str, Form(max_length=64)],
    proof: Annotated[str, Form()],
    scopes: Text,
    name: Annotated[str, Form(max_length=80)] = "",
    redirects: Text = "",
    jwks: Text = "",
    certificate: Text = "",
    role: Annotated[str, Form(max_length=40)] = "",
    areas: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Register one."""
    try:
        with store.savepoint():
            secret = clients.register(
                store, id.strip(), name=name, redirects=redirects.split(), scopes=scopes.split(), role=role or None, areas=areas,
                jwks=jwks.strip() or None if proof == "keys" else None, confidential=proof == "secret",
                certificate=certificate if proof == "certificate" else None,
            )  # fmt: skip
    except Refusal as refusal:
        typed = {"id": id, "name": name, "scopes": scopes, "redirects": redirects, "role": role, "proof": proof}
        return _show(page, store, wrong=refusal.text, typed=typed, status=refusal.status)
    return _show(page, store, secret=(page.say("程序 {id} 的密钥", id=id), secret) if secret else None)


@router.post("/users/clients/{id}/close")
def close(store: StoreWriting, id: str) -> Response:
    """Close one; its tokens end at once."""
    clients.close(store, id)
    return RedirectResponse("/users/clients", status_code=303)


@router.post("/users/clients/{id}/tokens")
def end_tokens(store: StoreWriting, id: str) -> Response:
    """End its tokens, and let it stay."""
    grants.end_all(store, id)
    return RedirectResponse("/users/clients", status_code=303)


def _show(
    page: Page,
    store: Store,
    *,
    secret: tuple[str, str] | None = None,
    wrong: str = "",
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    found = clients.clients(store)
    return page.show(
        "clients.html", status=status, clients=found, live=grants.live(store), secret=secret, wrong=wrong, typed=typed or {},
        roles_known=ROLE_TITLES, role_of=lambda code: ROLE_TITLES.get(Role(code), code) if code else "",
        organizations=(known := {f"Organization/{one['id']}": name_of(one) for one in store.select("Organization")}),
        area_of=lambda reference: known.get(reference, reference),
    )  # fmt: skip
