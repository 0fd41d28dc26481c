"""What all interactions share: the registry, page links and limits."""

from dataclasses import dataclass

from healthsvc.config import Settings
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.validation import warm_up
from healthsvc.rest.links import PageLinks


@dataclass(frozen=True, slots=True)
class Site:
    """One installation as the REST API sees it."""

    registry: Registry
    links: PageLinks
    page_size: int
    page_size_max: int
    bundle_limit: int
    name: str

    @classmethod
    def of(cls, settings: Settings) -> "Site":
        """The site of an installation's settings; the checks of the everyday types are compiled now and not at the first request."""
        warm_up()
        return cls(
            Registry.load(),
            PageLinks.of(settings.data),
            settings.page_size,
            settings.page_size_max,
            settings.bundle_limit,
            settings.site_name,
        )
