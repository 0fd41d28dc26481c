"""Hospitals over HTTP by mutual TLS, on real sockets: a right, a wrong, an expired, another's and no certificate."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trustme
from cryptography import x509

from healthsvc import clock
from healthsvc.access import tokens
from healthsvc.access.certificate import read
from healthsvc.access.smart import clients
from healthsvc.config import Settings, load
from healthsvc.errors import Invalid
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM
from integrations.address import Address
from integrations.https import context_of
from integrations.roles import Role
from integrations.serving import Serving


@dataclass
class Hospital:
    """A certificate file and what it is called."""

    file: Path
    fingerprint: str
    subject: str


@dataclass
class Site:
    url: str
    ca: Path
    hospital: Hospital
    other: Hospital
    stranger: Hospital
    expired: Hospital
    secrets: dict[str, str]

    def open(self, shown: Hospital | None = None, **more: object) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.ca))
        if shown is not None:
            context.load_cert_chain(shown.file)
        return httpx.Client(base_url=self.url, verify=context, timeout=10, **more)  # type: ignore[arg-type]


def issue(authority: trustme.CA, folder: Path, name: str, ended: bool = False) -> Hospital:
    days = timedelta(days=-1 if ended else 30)
    made = authority.issue_cert(f"{name}.h1.example", common_name=name, organization_name="H1", not_after=datetime.now(UTC) + days)
    file = folder / f"{name}-{id(authority)}.pem"
    made.private_key_and_cert_chain_pem.write_to_path(str(file))
    found = x509.load_pem_x509_certificate(made.cert_chain_pems[0].bytes())
    return Hospital(file, read(made.cert_chain_pems[0].bytes().decode()), found.subject.rfc4514_string())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tls")
    ours, theirs, strangers = trustme.CA(), trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(str(folder / "ours.pem"))
    theirs.cert_pem.write_to_path(str(folder / "hospitals.pem"))
    ours.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    hospital, other = issue(theirs, folder, "his"), issue(theirs, folder, "other")
    settings = Settings(data=folder, https_certificate=folder / "server.pem", https_client_ca=folder / "hospitals.pem", drain_seconds=0)
    here = open_installation(settings=settings)
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        secrets = {
            "free": tokens.issue_token(store, "hospital-window", "free"),
            "bound": tokens.issue_token(store, "hospital-window", "bound", certificate=hospital.fingerprint),
            "named": tokens.issue_token(store, "hospital-window", "named", certificate=f"subject:{hospital.subject}"),
        }
        clients.register(
            store, "his", name="HIS", scopes=["system/*.rs"], role="doctor", areas=["Organization/h1"], certificate=hospital.fingerprint
        )
    serving = Serving(here, Address("localhost", 0), Address("127.0.0.1", 0), [Role.API])
    serving.start()
    assert serving.where().startswith("https://")
    yield Site(
        serving.where(),
        folder / "ours.pem",
        hospital,
        other,
        issue(strangers, folder, "his"),
        issue(theirs, folder, "his-old", True),
        secrets,
    )
    serving.stop()
    here.close()


def asked(client: httpx.Client, secret: str) -> int:
    number = {"health_file_number": "33029900100100001"}
    return client.post("/api/greenchannel/answer", json=number, headers={"authorization": f"Bearer {secret}"}).status_code


def test_a_bound_token_is_worth_nothing_without_its_certificate(site: Site) -> None:
    with site.open(site.hospital) as right, site.open(site.other) as another, site.open() as none:
        for _ in range(2):
            assert {name: asked(right, secret) for name, secret in site.secrets.items()} == {"free": 200, "bound": 200, "named": 200}
            for wrong in (another, none):
                assert {name: asked(wrong, secret) for name, secret in site.secrets.items()} == {"free": 200, "bound": 401, "named": 401}


def test_a_strangers_and_an_expired_certificate_do_not_get_in(site: Site) -> None:
    for bad in (site.stranger, site.expired):
        with site.open(bad) as client, pytest.raises(httpx.TransportError):
            client.get("/livez")
    with site.open(site.hospital) as client:
        assert client.get("/livez").status_code == 200, "the door lives on"


def test_a_header_proves_nothing(site: Site) -> None:
    """What proxies write is not believed: there is no setting that would make it so."""
    pem = "".join(site.hospital.file.read_text().splitlines())
    forged = {
        "x-client-cert": pem, "x-ssl-client-verify": "SUCCESS", 
        "x-forwarded-client-cert": f"Hash={site.hospital.fingerprint[7:]}",
        "client-cert": site.hospital.fingerprint, "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https", "x-remote-user": "admin",
    }  # fmt: skip
    with site.open(headers=forged) as client:
        assert asked(client, site.secrets["bound"]) == 401
        assert client.get("/fhir/Patient").status_code == 401


def test_a_backend_service_proves_itself_by_its_certificate_and_its_tokens_are_bound(site: Site) -> None:
    wanted = {"grant_type": "client_credentials", "client_id": "his", "scope": "system/*.rs"}
    with site.open(site.hospital) as right, site.open(site.other) as another, site.open() as none:
        told = right.get("/.well-known/smart-configuration").json()
        assert "tls_client_auth" in told["token_endpoint_auth_methods_supported"]
        assert told["tls_client_certificate_bound_access_tokens"] is True
        for wrong in (another, none):
            assert wrong.post("/auth/token", data=wanted).json()["error"] == "invalid_client"
        token = right.post("/auth/token", data=wanted).json()["access_token"]
        bearer = {"authorization": f"Bearer {token}"}
        for _ in range(2):
            assert right.get("/fhir/Patient", headers=bearer).status_code == 200
            assert none.get("/fhir/Patient", headers=bearer).status_code == 401, "a token that was taken away is worth nothing"
            assert another.get("/fhir/Patient", headers=bearer).status_code == 401
        found = right.post("/auth/introspect", data={"client_id": "his", "token": token}).json()
        assert len(found["cnf"]["x5t#S256"]) == 43


def test_pages_are_open_to_browsers_without_a_certificate_and_cookies_go_over_tls_alone(site: Site) -> None:
    with site.open() as client:
        answer = client.post("/language", data={"to": "en"})
        assert "Secure" in answer.headers["set-cookie"]
        assert "strict-transport-security" in answer.headers


def test_an_old_tls_is_refused(site: Site) -> None:
    old = ssl.create_default_context(cafile=str(site.ca))
    old.set_ciphers("DEFAULT@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSVersion"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with httpx.Client(base_url=site.url, verify=old) as client, pytest.raises(httpx.TransportError):
        client.get("/livez")


def test_a_port_for_hospitals_alone(site: Site, tmp_path: Path) -> None:
    folder = site.ca.parent
    files = {"https_certificate": folder / "server.pem", "https_client_ca": folder / "hospitals.pem"}
    required = context_of(Settings(data=tmp_path, https_client_required=True, **files))  # type: ignore[arg-type]
    assert required is not None
    assert required.verify_mode is ssl.CERT_REQUIRED
    assert required.minimum_version is ssl.TLSVersion.TLSv1_2
    (tmp_path / "none.pem").touch()
    gone = Settings(data=tmp_path, https_certificate=tmp_path / "none.pem")
    (tmp_path / "none.pem").unlink()
    with pytest.raises(Invalid, match="https_certificate"):
        context_of(gone)
    (tmp_path / "healthsvc.toml").write_text(f'https_client_ca = "{folder / "hospitals.pem"}"')
    with pytest.raises(Invalid, match="need https_certificate"):
        load(tmp_path)


@pytest.mark.parametrize("wrong", ["", "subject:", "sha256:12", "-----BEGIN CERTIFICATE-----\nx", "his.h1.example"])
def test_what_is_no_certificate_is_told(wrong: str) -> None:
    with pytest.raises(Invalid, match="certificate"):
        read(wrong)


def test_a_fingerprint_as_openssl_writes_it() -> None:
    assert read("sha256 Fingerprint=AB:".replace("sha256 Fingerprint=", "SHA256:") + ":".join(["CD"] * 31)) == "sha256:ab" + "cd" * 31
