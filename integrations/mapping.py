"""Commands about the mapping: what becomes of each field, where a value came from, how a link profile has to look."""

from dataclasses import asdict
from typing import Annotated

import typer

from healthsvc.commands.actor import COMMAND
from healthsvc.commands.shape import Data, Json, err, installation, out, show_json


def mapping(
    segment: Annotated[str | None, typer.Argument(help="One segment, for example PID; all without it")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As the document that /help shows")] = False,
    json: Json = False,
) -> None:
    """What becomes of every field: which element, or kept verbatim, or dropped and why."""
    from integrations.hl7v2.maps.catalogue import Fate, entries, segments
    from integrations.hl7v2.maps.page import markdown as document

    if markdown:
        out.file.write(document())
        return
    wanted = segment.upper() if segment else None
    if wanted and wanted not in segments():
        err.print(f"{wanted} is read by no family and kept as it is; listed are {', '.join(segments())}", markup=False)
        raise typer.Exit(1)
    chosen = [one for one in entries() if wanted in (None, one.segment)]
    if json:
        show_json([{**asdict(one), "place": one.place} for one in chosen])
        return
    for one in chosen:
        target = f"{one.resource}.{one.element}" if one.fate is Fate.MAPPED else one.fate.value
        said = (f"{one.place:<7}", f"{one.name:<38}", target, f"({one.note})" if one.note else "")
        out.print("  ".join(part for part in said if part), markup=False)


def origin(
    of: Annotated[str, typer.Argument(metavar="TYPE/ID", help="A resource of the file, for example Patient/123")],
    element: Annotated[str, typer.Argument(help="An element, for example birthDate; every message about the resource without it")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """From a value in the file to the hospital message and the field that it came from. The look is audited."""
    from healthsvc import clock
    from healthsvc.errors import Invalid
    from integrations.hospitals.shelf import shelf
    from integrations.origin import origin as find

    type, slash, id = of.partition("/")
    if not slash or not id:
        raise Invalid("say which resource as TYPE/ID, for example Patient/123")
    with installation(data) as here, here.database.reading(COMMAND, at=clock.now(clock.zone(here.database.zone))) as store:
        found = find(store, type, id, element, shelf=shelf(here.settings.data / "hospitals"))
    if json:
        show_json([asdict(one) for one in found])
    elif not found:
        out.print("no hospital message has said it; whoever wrote it here stands in the audit", markup=False)
    for one in [] if json else found:
        out.print(f"{one.event} of {one.link}, number {one.control_id}, {one.recorded}, version {one.version}: {one.message}", markup=False)
        for place in one.places:
            out.print(f"  {place.place:<10} {place.name.lower():<34} {place.sent}{'  (the same)' if place.same else ''}", markup=False)


def schema() -> None:
    """The JSON Schema of link profiles, for editors and checks."""
    from integrations.hospitals.schema import text

    out.file.write(text())
