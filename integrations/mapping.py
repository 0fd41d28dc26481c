"""Commands about the mapping: what becomes of each field, where a value came from, how a link profile has to look."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from healthsvc.commands.actor import COMMAND
from healthsvc.commands.shape import Data, Json, err, installation, out, progress, show_json

if TYPE_CHECKING:
    from integrations.hospitals.profile import Profile


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


def compare_profiles(paths: list[Path], profile: str, against: str | None, data: Path | None, *, json: bool) -> None:
    """Try a profile instead of the present one on old messages."""
    from integrations.handling import Handling, settings
    from integrations.hl7v2.compare import compare
    from integrations.hospitals.shelf import load

    before = load(against) if against else in_force(data)
    with progress() as bar:
        task = bar.add_task("reading messages", total=None)
        found = compare(
            paths,
            load(profile),
            before,
            lambda done, total: bar.update(task, completed=done, total=total),
            handling=Handling(),
            settings=settings,
        )
    if json:
        show_json(found.as_json())
        return
    for line in found.lines():
        out.print(line, markup=False)


def in_force(data: Path | None) -> "Callable[[bytes], Profile]":
    """Chooses the profile for a message as the line does: by its header, on the address of the site's own listener."""
    from healthsvc.errors import Refusal
    from integrations.hl7v2.charset import header_line
    from integrations.hl7v2.er7 import Message
    from integrations.hl7v2.header import read_header
    from integrations.hospitals.shelf import load, shelf

    known = shelf(data / "hospitals" if data else None)
    otherwise = known.default or load("default")

    def choose(raw: bytes) -> "Profile":
        try:
            header = read_header(Message(header_line(raw)))
        except Refusal:
            return otherwise
        addresses = [address for one in known.site for address in one.match.listen] or ["127.0.0.1:2575"]
        return next((found for address in addresses if (found := known.choose(header, address))), otherwise)

    return choose


def schema() -> None:
    """The JSON Schema of link profiles, for editors and checks."""
    from integrations.hospitals.schema import text

    out.file.write(text())
