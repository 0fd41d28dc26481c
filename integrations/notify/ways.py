"""Three ways: the log (for a centre where somebody watches the page), mail, and a webhook (a message gateway's HTTP interface)."""

import hmac
import smtplib
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import EmailMessage
from hashlib import sha256

import structlog

from healthsvc.fhir.json import dumps
from integrations.notify.notice import Notice, NotReached

log = structlog.get_logger()


class LogNotifier:
    """Writes that somebody of a role should be called; neither name nor number stands in the log."""

    def send(self, notice: Notice) -> None:
        """Never fails."""
        log.warning("somebody should be called", notice=sha256(notice.key.encode()).hexdigest()[:12], role=notice.role)


@dataclass(frozen=True, slots=True)
class MailNotifier:
    """Sends mail through an SMTP server; ``notice.to`` is a mail address, or goes to ``gateway`` (number@gateway) where it is a number."""

    host: str
    port: int
    sender: str
    gateway: str = ""
    timeout_seconds: float = 10.0

    def send(self, notice: Notice) -> None:
        """One connection a notice."""
        to = notice.to if "@" in notice.to else f"{notice.to}@{self.gateway}" if self.gateway else ""
        if not to:
            raise NotReached("there is no mail address and no mail gateway for numbers", again=False)
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, to, "求助通知 Call for help"
        message["Message-ID"] = f"<{notice.key}@{self.sender.rpartition('@')[2]}>"
        message.set_content(notice.text)
        try:
            with smtplib.SMTP(self.host, self.port, timeout=self.timeout_seconds) as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused:
            raise NotReached("the mail server does not take the address", again=False) from None
        except (OSError, smtplib.SMTPException) as error:
            raise NotReached(f"mail: {type(error).__name__}") from None


@dataclass(frozen=True, slots=True)
class WebhookNotifier:
    """Posts a notice as JSON, signed: header ``X-Signature: sha256=`` HMAC of the body, ``Idempotency-Key`` the notice's key."""

    url: str
    secret: bytes
    timeout_seconds: float = 5.0

    def __post_init__(self) -> None:
        """Only HTTP and HTTPS."""
        if not self.url.startswith(("https://", "http://")):
            raise ValueError("a webhook has an http or https address")

    def send(self, notice: Notice) -> None:
        """2xx is taken as delivered; 4xx is not tried again, everything else is."""
        body = dumps({"key": notice.key, "to": notice.to, "role": notice.role, "text": notice.text})
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": notice.key,
            "X-Signature": "sha256=" + hmac.new(self.secret, body, sha256).hexdigest(),
        }
        request = urllib.request.Request(self.url, body, headers, method="POST")  # noqa: S310 - the scheme is checked above
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_seconds):  # noqa: S310 - as above
                return
        except urllib.error.HTTPError as error:
            error.close()
            raise NotReached(f"webhook: {error.code}", again=error.code >= 500 or error.code == 429) from None
        except OSError as error:
            raise NotReached(f"webhook: {type(error).__name__}") from None
