"""What commands share: options, progress, and how answers and refusals are shown."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from healthsvc.errors import Refusal
from healthsvc.fhir.json import dumps

if TYPE_CHECKING:
    from healthsvc.installation import Installation

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

_WIDEST = 10_000
"""Columns of the widest line that a table may have."""

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Data directory (database, keys, site files). Default: HEALTHSVC_DATA or ./healthsvc-data", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text")]


@contextmanager
def installation(data: Path | None) -> "Iterator[Installation]":
    """The opened installation of a data directory, closed at the end."""
    from healthsvc.installation import open_installation

    opened = open_installation(data)
    try:
        yield opened
    finally:
        opened.close()


def show_json(value: Any) -> None:
    """Print one JSON document on standard output."""
    typer.echo(dumps(value, pretty=True).decode())


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None) -> None:
    """Print a table, every cell as it is: none is cut short, and into a pipe or a file each row is one line."""
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    (out if out.is_terminal else Console(width=_WIDEST, highlight=False)).print(shown)


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on standard error (so that standard output stays clean); silent where nobody watches a terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=not err.is_terminal) as bar:
        yield bar


def explain(refusal: Refusal) -> None:
    """Print a refusal: what, where, how to mend it; at most twenty of its issues."""
    err.print(f"[bold red]healthsvc:[/] {escape(refusal.text)}", markup=True)
    if len(refusal.issues) > 1:
        for issue in refusal.issues[:20]:
            err.print(f"  {issue.path or '-'}: {issue.text}", markup=False)
        if len(refusal.issues) > 20:
            err.print(f"  and {len(refusal.issues) - 20} more")
