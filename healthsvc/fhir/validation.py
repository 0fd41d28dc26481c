"""Validation of a resource: structure, required codes, reference targets and named invariants of R4, then our own profiles.

The element trees of the definitions are the judge (``structure.py``); nothing is rewritten.
"""

from healthsvc.errors import Invalid, Issue
from healthsvc.fhir import facts, pinyin, profiles, structure
from healthsvc.fhir.json import Resource
from healthsvc.fhir.registry import Registry


def validate(resource: Resource, registry: Registry | None = None, *, profile_checks: bool = True, entries: bool = True) -> list[Issue]:
    """All that is wrong with a resource, errors and warnings; an empty list: it is valid R4.

    ``path`` of each issue is a FHIRPath such as ``Patient.name[0].given[1]``. Values are not repeated in the texts: they may name a person.
    ``entries=False`` leaves out the resources inside a Bundle, for a caller that checks them when it writes them.
    """
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    root = kind if isinstance(kind, str) and kind in facts.resource_types() else "Resource"
    try:
        found = structure.resource(resource, entries)
    except RecursionError:
        return [Issue("is nested too deeply", "too-long", root)]
    issues = [Issue(one.text, one.code, f"{root}.{one.path}" if one.path else root, one.severity) for one in found]
    if profile_checks and not any(one.severity == "error" for one in issues):
        issues += profiles.check(resource)
    return issues


def require_valid(resource: Resource, registry: Registry | None = None, *, profile_checks: bool = True) -> list[Issue]:
    """Validate and return the warnings.

    Raises:
        Invalid: there are errors; its issues list all of them.
    """
    issues = validate(resource, registry, profile_checks=profile_checks)
    errors = [one for one in issues if one.severity in ("error", "fatal")]
    if errors:
        more = f" ({len(errors)} problems in all)" if len(errors) > 1 else ""
        raise Invalid(f"{errors[0].path}: {errors[0].text}{more}", issues=issues)
    return issues


def warm_up(types: tuple[str, ...] = ()) -> None:
    """Compile the checks of some types at start instead of at the first request."""
    registry = Registry.load()
    pinyin.spellings("王")
    for name in types or ("Patient", "Observation", "Encounter", "Task", "Bundle"):
        structure.walker(name)
        registry.compile(name)
