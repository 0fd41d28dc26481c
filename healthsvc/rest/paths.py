"""What may stand in a FHIR address: only names of R4 types and ids of FHIR's form match, so that ``$operations`` find their own routes."""

import re
from collections.abc import Sequence

from fastapi.routing import iter_route_contexts
from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import BaseRoute

from healthsvc.fhir.facts import resource_types


class ResourceType(Convertor[str]):
    """A concrete R4 resource type."""

    regex = "|".join(sorted(resource_types(), key=lambda name: (-len(name), name)))

    def convert(self, value: str) -> str:
        """As it is."""
        return value

    def to_string(self, value: str) -> str:
        """As it is."""
        return value


class ResourceId(Convertor[str]):
    """A FHIR id (R4 2.24.0.1)."""

    regex = r"[A-Za-z0-9\-.]{1,64}"

    def convert(self, value: str) -> str:
        """As it is."""
        return value

    def to_string(self, value: str) -> str:
        """As it is."""
        return value


def register() -> None:
    """Make ``{type:fhirtype}`` and ``{id:fhirid}`` known to the router."""
    register_url_convertor("fhirtype", ResourceType())
    register_url_convertor("fhirid", ResourceId())


def methods_at(routes: Sequence[BaseRoute], path: str) -> list[str]:
    """The methods that an address takes: those of every route that leads there."""
    found = {"OPTIONS"}
    for one in iter_route_contexts(routes):
        regex = getattr(one, "path_regex", None)
        if one.methods and regex is not None and regex.match(path):
            found |= one.methods
    return sorted(found | ({"HEAD"} if "GET" in found and path.startswith("/fhir") else set()))


def misaddressed(path: str) -> str | None:
    """What is wrong with a path below the base that no route takes, without repeating it; None where its form is right."""
    type, *rest = path.split("/")
    if type.startswith(("$", "_")):
        return "there is no such operation; GET /fhir/metadata lists those that there are"
    if type not in resource_types():
        return "the address does not begin with an R4 resource type, written as the standard writes it (Patient, Observation)"
    if rest and rest[0].startswith("$"):
        return f"{type} has no such operation; GET /fhir/metadata lists those that there are"
    if rest and not re.fullmatch(ResourceId.regex, rest[0]):
        return f"this is not the id of a {type}: an id has 1 to 64 letters, digits, dashes and dots"
    return None
