"""One tree of refusals. Each knows its HTTP status and its FHIR issue code; the edge translates once."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong: what (``text``), where (``path``, a FHIRPath or a column) and how grave.

    ``code`` is a FHIR issue-type code (http://hl7.org/fhir/issue-type); ``severity`` one of fatal, error, warning, information.
    """

    text: str
    code: str = "invalid"
    path: str | None = None
    severity: str = "error"


class Refusal(Exception):
    """Something that we will not do, and why. The text names no person: it reaches logs and error pages."""

    status = 400
    issue_code = "invalid"
    exit_code = 2
    """What a command ends with that was refused so."""

    def __init__(self, text: str, *, path: str | None = None, reason: str | None = None, issues: Sequence[Issue] = ()) -> None:
        super().__init__(text)
        self.text = text
        self.reason = reason
        """A stable reason code of the rule that refused (for example ``infusion-drug-forbidden``); None where there is none."""
        self.issues: tuple[Issue, ...] = tuple(issues) or (Issue(text, self.issue_code, path),)


class Malformed(Refusal):
    """The input cannot be read as what it says it is."""

    issue_code = "structure"


class Invalid(Refusal):
    """The input can be read, but is not valid FHIR, HL7 or not a valid value."""

    status = 422
    issue_code = "invalid"


class RuleViolation(Refusal):
    """A rule of the field forbids it."""

    status = 422
    issue_code = "business-rule"


class NotSignedIn(Refusal):
    """Nobody is signed in, or the token is not known or has ended."""

    status = 401
    issue_code = "login"


class Forbidden(Refusal):
    """The person who asks is known, but may not."""

    status = 403
    issue_code = "forbidden"


class NotFound(Refusal):
    """There is no such thing."""

    status = 404
    issue_code = "not-found"


class Gone(Refusal):
    """It was there and has been deleted."""

    status = 410
    issue_code = "deleted"


class NotSupported(Refusal):
    """The request asks for something that this server does not offer."""

    status = 400
    issue_code = "not-supported"


class Conflict(Refusal):
    """It contradicts what is already there (a second active contract, a concurrent edit)."""

    status = 409
    issue_code = "conflict"


class PreconditionFailed(Refusal):
    """If-Match names another version than the current one, or a condition matches several."""

    status = 412
    issue_code = "conflict"


class TooLarge(Refusal):
    """More than the limit that the setting allows."""

    status = 413
    issue_code = "too-long"


class Unavailable(Refusal):
    """Not now: the database is busy or read-only, or a needed part is not installed. Trying later may help."""

    status = 503
    issue_code = "transient"


class KeysLost(Unavailable):
    """Keys that this database needs are not where they should be: somebody has to put them back, trying again does nothing."""
