"""One refusal that lists everything that stands against it."""

from healthsvc.errors import Issue, RuleViolation

Finding = tuple[str, str]
"""A stable reason code, and what is wrong in words."""


def refuse(what: str, found: tuple[Finding, ...]) -> None:
    """Refuse with an issue for each finding, its code in front; the reason of the whole is the first. Without findings nothing happens."""
    if found:
        issues = [
            Issue(f"{code}: {text}", "business-rule", "EpisodeOfCare.diagnosis" if "diagnosis" in code else "EpisodeOfCare")
            for code, text in found
        ]
        raise RuleViolation(f"{what}: {'; '.join(text for _, text in found)}", reason=found[0][0], issues=issues)
