"""The operator's tools on the command line: the same as on the page 运行维护, with exit codes for a watchdog."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from healthsvc.commands.actor import COMMAND
from healthsvc.commands.shape import Data, Json, err, installation, out, show_json, table
from healthsvc.errors import Invalid

if TYPE_CHECKING:
    from healthsvc.installation import Installation
    from healthsvc.store import Store
    from integrations.operating.desk import Desk

Why = Annotated[str, typer.Option("--reason", help="Why, without naming the person; goes into the audit")]
Outgoing = Annotated[bool, typer.Option("--out", help="A message to a hospital, not one that came in")]
MOST = 1000


@contextmanager
def at_desk(data: Any, *, writing: bool = False) -> "Iterator[tuple[Store, Desk]]":
    """The desk of an installation in one transaction."""
    from healthsvc import clock
    from integrations.hospitals.shelf import shelf
    from integrations.operating.desk import Desk

    with installation(data) as here:
        opened = here.database.writing if writing else here.database.reading
        with opened(COMMAND, at=clock.now(clock.zone(here.database.zone))) as store:
            yield store, Desk(shelf(here.settings.data / "hospitals"))


def lines(data: Data = None, json: Json = False) -> None:
    """How each line stands, in and out. Exit code 1 where one is silent, a message needs somebody, or a link profile is wrong.

    profile: version in force, and that of its file where it is another one. missing: sequence numbers (MSH-13) that did not come; ask the
    sender for these messages. Below, how the outpatient visits of each hospital ended of late: by its word (A03), or by rule.
    """
    from healthsvc import clock
    from integrations.operating.desk import Desk
    from integrations.operating.profiles import checked, in_force, readable

    with installation(data) as here, here.database.reading(COMMAND, at=clock.now(clock.zone(here.database.zone))) as store:
        folder, trouble = here.settings.data / "hospitals", ""
        try:
            shelf = checked(store, folder)
        except Invalid as refusal:
            shelf, trouble = readable(folder), refusal.text
        desk, held, at = Desk(shelf), in_force(store), store.at
        found, ends = desk.standings(store), desk.visit_ends(store)
    if json:
        hospitals = {one.hospital: {"ended_by_word": one.by_word, "ended_by_rule": one.by_rule} for one in ends.hospitals}
        own = {profile.name: hospitals.get(profile.hospital, {}) for profile in shelf.all}
        show_json(
            [
                _plain(asdict(one))
                | {"silence_seconds": _seconds(one.silence(at)), "version_in_force": held.get(one.name, one.version)}
                | own.get(one.name, {})
                for one in found
            ]
        )
    else:
        columns = (
            *("line", "profile", "last message", "silence", "received", "pending", "oldest", "needs somebody", "missing"),
            *("to send", "oldest", "said"),
        )
        rows = [
            (
                f"{one.name or '-'}{' SILENT' if one.silent else ''}", _edition(held.get(one.name, one.version), one.version),
                _time(one.last), _span(one.silence(at)), one.total,
                one.counts.get("pending", 0), _span(at - one.oldest if one.oldest else None), one.trouble,
                ", ".join(gap.text for gap in one.missing) or "-", one.out_waiting,
                _span(at - one.out_oldest if one.out_oldest else None), one.out_last,
            )
            for one in found
        ]  # fmt: skip
        table(columns, rows)
        if ends.hospitals:
            visits = [(one.hospital or "-", one.by_word, one.by_rule, "never told" if one.never_told else "") for one in ends.hospitals]
            table(("hospital", f"visits ended in {ends.days} days by its word", "by rule", "A03"), visits)
    if trouble:
        err.print(f"link profiles: {trouble}; the old ones stay in force", markup=False)
    if trouble or any(one.silent or one.trouble for one in found):
        raise typer.Exit(1)


def check_profiles(here: "Installation") -> str:
    """For the doctor: the site's link profiles, checked as a running service does before it takes them over."""
    from healthsvc import clock
    from integrations.operating.profiles import checked, in_force

    with here.database.reading(COMMAND, at=clock.utc_now()) as store:
        found, held = checked(store, here.settings.data / "hospitals"), in_force(store)
    told = [f"{one.name} {_edition(held.get(one.name, one.version), one.version)}" for one in found.site]
    return ", ".join(told) or "none of the site's own"


def letters(
    data: Data = None,
    link: Annotated[str, typer.Option("--link", help="Of this line only")] = "",
    state: Annotated[str, typer.Option("--state", help="dead, review or quarantine only")] = "",
    number: Annotated[str, typer.Option("--control-id", help="The messages with this MSH-10, whatever has become of them")] = "",
    outgoing: Outgoing = False,
    json: Json = False,
) -> None:
    """The dead letters and the review list, with reason and field; with --out what hospitals did not get.

    With --control-id every message that came under a number, processed or not: what a hospital asks for by telephone.
    """
    with at_desk(data) as (store, desk):
        found: list[Any] = list(desk.stuck(store, MOST, link) if outgoing else desk.letters(store, MOST, link, state, number))
    if json:
        show_json([_plain(asdict(one)) for one in found])
    elif outgoing:
        table(
            ("id", "made", "line", "event", "state", "said"), [(o.id, _time(o.created), o.link, o.event, o.state, o.error) for o in found]
        )
    else:
        rows = [(o.id, _time(o.received), o.link, o.event, o.control_id, o.state, f"{o.reason} {o.place}".strip(), o.remark) for o in found]
        table(("id", "received", "line", "event", "control id", "state", "reason", "remark"), rows)


def show(id: Annotated[int, typer.Argument(help="Number of the message")], data: Data = None, outgoing: Outgoing = False) -> None:
    """One message, masked: its build, codes and kinds; values by their shape only. That it was looked at is noted."""
    with at_desk(data) as (store, desk):
        one: Any = desk.sent(store, id) if outgoing else desk.view(store, id)
    said = one.error if outgoing else f"{one.reason} {one.place} {one.remark}"
    out.print(f"{one.id}  {one.link}  {one.event}  {one.state}  {said}".rstrip(), markup=False)
    for name, fields in one.segments:
        out.print(f"{name}  " + "  ".join(f"{position}={shown}" for position, shown in fields), markup=False)


def close(id: Annotated[int, typer.Argument()], reason: Why, data: Data = None, outgoing: Outgoing = False) -> None:
    """Leave a message at that; with --out never send it."""
    with at_desk(data, writing=True) as (store, desk):
        (desk.send_never if outgoing else desk.close)(store, id, reason)
    out.print(f"message {id} is closed", markup=False)


def send_now(link: Annotated[str, typer.Argument(help="Name of the link profile")], data: Data = None) -> None:
    """Try everything at once that waits for a hospital, whatever pause is under way: its line is up again. Each person's in their order."""
    with at_desk(data, writing=True) as (store, desk):
        count = desk.send_now(store, link)
    out.print(f"{count} messages for {link} go out now", markup=False)


def edit(
    id: Annotated[int, typer.Argument()],
    changes: Annotated[list[str], typer.Option("--set", help="POSITION=VALUE, such as PID-8=M, PID-3(2).5=IDCard, OBX[3]-5=6.1")],
    reason: Why,
    data: Data = None,
) -> None:
    """Change values by their HL7 positions and take the edited message in; the original is kept as replaced."""
    pairs = _pairs(changes)
    with at_desk(data, writing=True) as (store, desk):
        new = desk.edit(store, id, pairs, reason)
    out.print(f"message {id} is replaced by message {new}, which is queued", markup=False)


def _pairs(changes: list[str]) -> list[tuple[str, str]]:
    pairs = [(position, value) for position, equals, value in (one.partition("=") for one in changes) if equals]
    if len(pairs) != len(changes):
        raise Invalid("write --set POSITION=VALUE, for example --set PID-8=M", path="--set", reason="position")
    return pairs


def unmerge(
    id: Annotated[int, typer.Argument(help="Number of the merge message")],
    reason: Why,
    by: Annotated[str, typer.Option("--by", help="Name of whoever decides it")],
    data: Data = None,
) -> None:
    """Take back what a merge message (A40, A39, A36, A34, A30, A18) has joined."""
    with at_desk(data, writing=True) as (store, desk):
        parted = desk.unmerge(store, id, by, reason)
    out.print(f"files in force again: {' '.join(parted)}", markup=False)


def misfiled(
    data: Data = None,
    mend: Annotated[int | None, typer.Option("--mend", help="Put this message right: withdraw what it wrote, process it anew")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Whose it is, where it came under the wrong person: PID-3.1=C2")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, without naming the person; goes into the audit")] = "",
    json: Json = False,
) -> None:
    """Messages about several persons whose results all came into one person's file (by earlier versions). Exit code 1 where there are any.

    With --mend what such a message wrote is withdrawn, and each one's part goes into their own file. With --mend and --set any message
    that came under the wrong person (results, orders, documents, appointments, stays) is withdrawn and taken in as right.
    """
    from integrations.operating import misfiled as search
    from integrations.operating.refiling import refile

    if mend is not None and changes:
        with at_desk(data, writing=True) as (store, desk):
            count, new = refile(store, desk.shelf, mend, _pairs(changes), reason)
        out.print(f"{count} withdrawn; message {mend} is replaced by message {new}, which is queued", markup=False)
        return
    if mend is not None:
        with at_desk(data, writing=True) as (store, desk):
            count = search.mend(store, desk.shelf, mend, reason)
        out.print(f"{count} withdrawn; message {mend} is queued again", markup=False)
        return
    with at_desk(data) as (store, desk):
        found = list(search.find(store, desk.shelf))
    if json:
        show_json([_plain(asdict(one)) for one in found])
    else:
        rows = [(one.id, _time(one.received), one.link, one.event, one.control_id, one.persons, one.wrote) for one in found]
        table(("id", "received", "line", "event", "control id", "persons", "wrote"), rows)
    if found:
        raise typer.Exit(1)


def forget_journal(
    id: Annotated[str, typer.Argument(help="As the doctor names it")],
    reason: Why,
    data: Data = None,
) -> None:
    """Forget a journal of the lines whose file is gone for good, and in which nothing stands that anybody could still carry."""
    from healthsvc.store.journal_rows import forget_place
    from healthsvc.store.journals_read import without_file
    from integrations.operating.inbox_desk import reason_of

    told = reason_of(reason)
    with at_desk(data, writing=True) as (store, _):
        known = next((one for one in without_file(store.connection) if one.hex() == id.strip().lower()), None)
        if known is None:
            raise Invalid("there is no journal of this id whose file is gone; `healthsvc doctor` names those that are", path="ID")
        forget_place(store.connection, known)
        store.audit("journal-forget", f"journal/{known.hex()}", purpose=told)
    out.print(f"journal {known.hex()} is forgotten", markup=False)


def announce(
    link: Annotated[str, typer.Argument(help="Name of the link profile")],
    data: Data = None,
    topic: Annotated[str, typer.Option("--topic", help="person, referral or booking")] = "person",
) -> None:
    """Tell a hospital what is on file already: a new hospital hears only of what is written after it was added."""
    from healthsvc import clock
    from integrations.herald.announce import announce as tell
    from integrations.hospitals.shelf import shelf

    with installation(data) as here:
        count = tell(here.database, shelf(here.settings.data / "hospitals"), link, topic, clock.now(clock.zone(here.database.zone)))
    out.print(f"{count} messages are queued for {link}", markup=False)


def _time(at: datetime | None) -> str:
    return at.strftime("%m-%d %H:%M") if at else "-"


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())


def _edition(held: int, file: int) -> str:
    """A version, and that of the file where it is another one: a running service is about to take it over."""
    return "-" if not (held or file) else str(held) if held == file else f"{held} (file: {file or 'gone'})"


def _span(span: timedelta | None) -> str:
    if span is None:
        return "-"
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} d"


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.isoformat() if isinstance(value, datetime) else _seconds(value) if isinstance(value, timedelta) else value
        for key, value in values.items()
    }
