"""``healthsvc demo``: run the main job on an invented district, say what happened and where to look, and keep serving."""

import signal
import threading
from pathlib import Path
from tempfile import mkdtemp
from types import FrameType
from typing import Annotated

import typer

from healthsvc import clock
from healthsvc.commands.shape import err, out, progress, table


def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop when the story is told, exit 0")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="Where to keep it; default: a new folder, removed at the end", show_default=False)
    ] = None,
    http: Annotated[str, typer.Option("--http", help="Where the pages listen, HOST:PORT (port 0: any free one)")] = "127.0.0.1:8000",
    mllp: Annotated[
        str, typer.Option("--mllp", help="Where the hospital line listens, HOST:PORT (port 0: any free one)")
    ] = "127.0.0.1:2575",
) -> None:
    """Run the main job on an invented district: roster, contracts, beds, a hospital day over MLLP, a week's plan; then keep serving."""
    from integrations.demo.run import Demonstration

    folder = data or Path(mkdtemp(prefix="healthsvc-demo-"))
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    shown = Demonstration(folder, http, mllp, clock.now(), keep=data is not None)
    try:
        with progress() as bar:
            told = shown.run(bar)
        table(("what", "how much"), told.lines, title="healthsvc 演示 demonstration")
        for where in shown.where():
            out.print(where, markup=False)
        if not once:
            err.print("Ctrl-C ends it")
            stopping.wait()
    except KeyboardInterrupt:
        err.print("stopping")
    finally:
        shown.stop()
