"""Commands that let messages have their effect anew: one that failed, or all of a line, a time or a person."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from healthsvc.commands.actor import COMMAND
from healthsvc.commands.shape import Data, installation, out, table
from healthsvc.errors import Invalid
from integrations.operating.commands import MOST, Outgoing, at_desk

if TYPE_CHECKING:
    from integrations.operating.correcting import Corrected

_AS_TAKEN: Final = (
    "a running service takes a changed link profile over within seconds, unless a file is wrong: `healthsvc hl7 lines` says so"
)
Overrule = Annotated[
    bool, typer.Option("--overrule", help="Let the hospital's word count also against what was corrected here since; audited")
]


def retry(id: Annotated[int, typer.Argument()], data: Data = None, outgoing: Outgoing = False, overrule: Overrule = False) -> None:
    """Try a message again, after a profile or a file was mended; with --out send it once more.

    What somebody here has corrected since it came is named, and left as it is unless --overrule says otherwise.
    """
    with at_desk(data, writing=True) as (store, desk):
        if outgoing:
            desk.send_again(store, id)
        else:
            _tell(desk.corrections(store, [id]), overrule)
            desk.again(store, id, overrule=overrule)
    out.print(f"message {id} is queued again", markup=False)
    if not outgoing:
        out.print(_AS_TAKEN, markup=False)


def replay(
    data: Data = None,
    since: Annotated[str, typer.Option("--since", help="From when, 2026-11-28T08:00")] = "",
    until: Annotated[str, typer.Option("--until", help="To when; default now")] = "",
    link: Annotated[str, typer.Option("--link", help="Of this line only")] = "",
    patient: Annotated[str, typer.Option("--patient", help="About this file only (Patient id)")] = "",
    overrule: Overrule = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many messages it is, and what was corrected here since")] = False,
) -> None:
    """Let messages of a line, a time or a person have their effect anew, in their old order. What agrees stays as it is.

    What somebody here has corrected since a message came is named beforehand, and left as it is unless --overrule says otherwise. A merge
    (A40) that somebody has taken back since is left out.
    """
    if not since:
        raise Invalid("say from when: --since 2026-11-28T08:00", path="--since", reason="moment")
    from healthsvc import clock
    from integrations.hospitals.shelf import shelf
    from integrations.operating.desk import Desk

    with installation(data) as here:
        desk = Desk(shelf(here.settings.data / "hospitals"))
        with here.database.reading(COMMAND, at=clock.now(clock.zone(here.database.zone))) as store:
            about = desk.to_replay(store, link, _moment(since, store.zone), _moment(until, store.zone) if until else store.at, patient)
            _tell(desk.corrections(store, about.ids), overrule)
        if dry_run:
            out.print(f"{len(about.ids)} messages would be queued again", markup=False)
            return
        done = desk.replay(here.database, COMMAND, about, overrule=overrule)
    out.print(f"{done.queued} messages are queued again", markup=False)
    out.print(_AS_TAKEN, markup=False)
    for id in done.left:
        out.print(f"message {id} was left out: its merge was taken back since; if the two are one after all, join the files", markup=False)


def _tell(found: "Sequence[Corrected]", overrule: bool) -> None:
    """What somebody here has corrected since the messages came, and what becomes of it."""
    if not found:
        return
    becomes = "the hospital's word counts all the same" if overrule else "left as it is; --overrule lets the hospital's word count"
    out.print(f"corrected here since the messages came, in {len(found)} records ({becomes}):", markup=False)
    rows = [(one.message, one.subject, ", ".join(one.elements), one.at.strftime("%Y-%m-%d %H:%M")) for one in found[:MOST]]
    table(("message", "record", "elements", "corrected"), rows)
    if len(found) > MOST:
        out.print(f"and {len(found) - MOST} more; replay a shorter time or one person to see them", markup=False)


def _moment(text: str, zone: Any) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("a moment is written 2026-11-28T08:00", path=text[:20], reason="moment") from None
    return at if at.tzinfo else at.replace(tzinfo=zone)
