"""What may stand in a FHIR address: only names of R4 types and ids of FHIR's form match, so that ``$operations`` find their own routes."""

from starlette.convertors import Convertor, register_url_convertor

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
