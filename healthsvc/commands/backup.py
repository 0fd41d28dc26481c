"""Backups and their way back."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from healthsvc import clock
from healthsvc.commands.shape import Data, Json, err, out, show_json
from healthsvc.errors import Invalid


def backup(
    to: Annotated[Path | None, typer.Argument(help="Folder of the backups; default: the setting backup_to")] = None,
    keys_to: Annotated[
        Path | None, typer.Option("--keys-to", help="Where the keys go: another place than the data; default: the setting backup_keys_to")
    ] = None,
    recipient: Annotated[
        str | None, typer.Option("--recipient", help="Close every part to this public key of age (age1...); default: the setting")
    ] = None,
    keep: Annotated[int | None, typer.Option("--keep", min=1, help="Backups that stay; default: policy backup.keep")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Back the installation up, beside whatever is serving it: database, alarms, site files; the keys apart. Whole or not there at all."""
    from healthsvc.backup.make import BackupPolicy, make
    from healthsvc.backup.parts import recipient as read_recipient
    from healthsvc.logs import settings_for
    from healthsvc.policy import load as load_policy

    settings = settings_for(data)
    target = to or settings.backup_to
    if target is None:
        raise Invalid("say where the backup goes: healthsvc backup FOLDER, or set backup_to")
    policy = load_policy(settings.data / "policy", settings.jurisdiction).fill(BackupPolicy, "backup", clock.today())
    closed_to = recipient or settings.backup_recipient
    made = make(
        settings,
        target,
        clock.utc_now(),
        keep=keep or policy.keep,
        keys_to=keys_to or settings.backup_keys_to,
        to=read_recipient(closed_to) if closed_to else None,
    )
    if json:
        show_json(
            {"folder": str(made.folder), "keys": str(made.keys) if made.keys else None, "removed": list(made.removed)}
            | {"manifest": asdict(made.manifest)}
        )
        return
    for part in made.manifest.parts:
        out.print(f"{part.name}  {part.bytes} bytes  sha256 {part.sha256}", markup=False)
    for what, why in made.manifest.left_out.items():
        err.print(f"left out: {what} ({why})", markup=False)
    if made.removed:
        out.print(f"removed, beyond the {keep or policy.keep} that are kept: {', '.join(made.removed)}", markup=False)
    rows = sum(made.manifest.contents.rows.values())
    out.print(f"{made.folder}: {rows} rows, schema {made.manifest.contents.migration}", markup=False)
    if made.keys:
        out.print(f"{made.keys}: keys and settings; keep it apart from the data", markup=False)


def restore(
    folder: Annotated[Path, typer.Argument(help="The backup: a folder that `healthsvc backup` made")],
    data: Data = None,
    database: Annotated[str | None, typer.Option("--database", help="Url of an empty PostgreSQL database, for a backup of one")] = None,
    keys: Annotated[Path | None, typer.Option("--keys", help="The archive of keys, from where --keys-to put it")] = None,
    identity: Annotated[Path | None, typer.Option("--identity", help="File with the private key of age, for a closed backup")] = None,
    verify: Annotated[bool, typer.Option(help="Compare with the manifest, walk the audit, check every frozen document")] = True,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Restore beside DATA, verify, throw it away: is this backup any good?")
    ] = False,
    json: Json = False,
) -> None:
    """Restore a backup into an empty data directory and prove that it is what was saved. Exit code 1 if anything is not."""
    from healthsvc.backup.parts import identity as read_identity
    from healthsvc.backup.restore import restore as bring_back

    if data is None and not rehearse:
        raise Invalid("say where it goes: --data with a new or empty directory")
    done = bring_back(
        folder,
        data or folder.resolve().parent / f".{folder.name}-rehearsal",
        database=database,
        keys=keys,
        identity=read_identity(identity) if identity else None,
        verify=verify,
        keep=not rehearse,
    )
    if json:
        show_json({"findings": list(done.findings), "documents": done.documents, "rows": done.rows, "verified": verify})
    else:
        for finding in done.findings:
            err.print(finding, markup=False)
        proved = f"verified: {done.rows} rows, the audit, {done.documents} documents" if verify else "not verified"
        out.print(f"{'rehearsed' if rehearse else 'restored'} {done.manifest.created} ({done.manifest.engine}), {proved}", markup=False)
    if done.findings:
        raise typer.Exit(1)
