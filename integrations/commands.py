"""Commands of the hospital side: serve; send messages and see the answers; try messages without storing anything."""

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from healthsvc.commands.shape import Data, Json, err, out, progress, show_json
from healthsvc.errors import Invalid, KeysLost
from integrations import mapping
from integrations.address import Address
from integrations.operating import anew
from integrations.operating import commands as operating
from integrations.roles import Role

TELL_SECONDS: Final = 5.0
"""How often a long sending says on standard error how far it is."""
MEND_FIRST: Final = 78
"""EX_CONFIG of sysexits.h; the systemd units do not start again after it."""
hl7 = typer.Typer(no_args_is_help=True, help="HL7 v2: send messages, try messages, see how the lines stand, put right what failed.")


@hl7.command("send")
def send_files(
    files: Annotated[list[Path], typer.Argument(exists=True, help="Files, folders or archives (zip, tar, gzip) of messages or batches")],
    to: Annotated[str, typer.Option("--to", help="HOST:PORT of an MLLP listener")],
    seconds: Annotated[float, typer.Option("--seconds", help="How long to wait for each answer")] = 10.0,
    first: Annotated[int, typer.Option("--from", min=1, help="Begin with this message of all files together, counted from 1")] = 1,
    json: Json = False,
) -> None:
    """Send each message, wait for its own answer, print it. Exit code 1 if any was not accepted (AA or CA).

    One that asks for no answer (MSH-15 NE, or ER and all is well) is "sent".

    It stops at the first message without an answer, exit code 2, and says with which --from to go on.
    """
    from integrations.sending import send

    address = Address.of(to, "--to")
    answers, refused, count, told = [], 0, 0, time.monotonic()
    silent: set[int] = set()
    try:
        for sent in send(files, address.host, address.port, seconds, first=first):
            (silent.add if sent.silent else silent.discard)(sent.number)
            count, refused = count + (not sent.silent), refused + sent.refused
            if json:
                answers.append(sent)
            else:
                out.print(f"{sent.file} #{sent.index}: {sent.code} {sent.control_id} {sent.text}".rstrip(), markup=False)
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                err.print(f"{count} messages answered, {refused} not accepted; at message {sent.number}", markup=False)
    finally:  # what was answered before it stopped is told in any case
        if json:
            show_json([sent.as_json() for sent in answers])
    unasked = f", {len(silent)} sent without an answer, as they asked" if silent else ""
    if count or silent:
        err.print(f"{count} messages answered, {refused} not accepted{unasked}", markup=False)
    else:
        err.print("no message found in these files", markup=False)
    if refused or not (count or silent):
        raise typer.Exit(1)


@hl7.command("check")
def check_files(
    paths: Annotated[list[Path], typer.Argument(exists=True, help="Files, folders or archives (zip, tar, gzip) of messages")],
    profile: Annotated[str, typer.Option("--profile", help="Link profile: a shipped name or a file")] = "default",
    against: Annotated[str | None, typer.Option("--against", help="Show what changes from this profile (a name or a file)")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Show what changes from the profiles in force in this data directory")] = None,
    json: Json = False,
) -> None:
    """Dry run, nothing is stored: what is read, re-encodes byte-identical, in which charset, is mapped, or is rejected and why.

    With --against or --data the profile is tried instead of the present one: what would be read otherwise, per message and as counts.
    """
    if against or data:
        mapping.compare_profiles(paths, profile, against, data, json=json)
        return
    from integrations.hl7v2.check import check

    with progress() as bar:
        task = bar.add_task("reading messages", total=None)
        report = check(paths, profile, lambda done, total: bar.update(task, completed=done, total=total))
    if json:
        show_json(report.as_json())
    else:
        for line in report.lines():
            out.print(line, markup=False)
    if not report.counts()["messages"]:
        err.print("no message found in these files", markup=False)
        raise typer.Exit(1)


hl7.command("lines")(operating.lines)
hl7.command("letters")(operating.letters)
hl7.command("show")(operating.show)
hl7.command("retry")(anew.retry)
hl7.command("send-now")(operating.send_now)
hl7.command("close")(operating.close)
hl7.command("edit")(operating.edit)
hl7.command("replay")(anew.replay)
hl7.command("unmerge")(operating.unmerge)
hl7.command("misfiled")(operating.misfiled)
hl7.command("forget-journal")(operating.forget_journal)
hl7.command("announce")(operating.announce)
hl7.command("mapping")(mapping.mapping)
hl7.command("origin")(mapping.origin)
hl7.command("schema")(mapping.schema)


def serve(
    data: Data = None,
    http: Annotated[str, typer.Option("--http", help="Where the API and the pages listen, HOST:PORT")] = "127.0.0.1:8000",
    mllp: Annotated[str, typer.Option("--mllp", help="Where hospitals connect, HOST:PORT")] = "127.0.0.1:2575",
    only: Annotated[Role | None, typer.Option("--only", help="Run one role alone")] = None,
    probes: Annotated[
        str | None, typer.Option("--probes", help="HOST:PORT where this process answers /livez, /readyz, /metrics (for a role without API)")
    ] = None,
) -> None:
    """Serve everything: API and pages, hospital lines, workers, timers. Ready when it prints so; stops cleanly on SIGTERM or Ctrl-C.

    With the setting lines_apart the hospital lines run in processes of their own, started, looked after and stopped with this one.
    """
    from integrations.process import run

    try:
        run(data, Address.of(http, "--http"), Address.of(mllp, "--mllp"), only, Address.of(probes, "--probes") if probes else None)
    except (Invalid, KeysLost) as refusal:  # trying again changes nothing: a supervisor is told so
        refusal.exit_code = MEND_FIRST
        raise
