"""Structured logs: the event and its outcome, never the person."""

import logging
import os
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import structlog
from asgi_correlation_id import correlation_id

from healthsvc import config
from healthsvc.config import Settings
from healthsvc.masking import scrubbed


class _StandardError:
    """Standard error as it is at the moment of a line: whoever replaces it (a supervisor, a test) is followed."""

    def write(self, text: str) -> int:
        """Write to the present standard error."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Flush it."""
        sys.stderr.flush()


_STDERR: Any = _StandardError()
_PRIORITIES: Final = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
"""Of syslog (RFC 5424)."""
_CALLS: Final = 4
"""So many calls say where a surprise came from."""


def _with_request(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    request = correlation_id.get()
    if request:
        event["request"] = request
    return event


def _scrubbed(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Nobody logs a number of a person; should one have come into a text all the same, its shape is logged."""
    return scrubbed(event)


class _Journal:
    """Each line begins with its priority, as the journal of systemd reads it (sd-daemon(3)): ``journalctl -p warning`` finds it."""

    def __init__(self, render: Any) -> None:
        self._render = render

    def __call__(self, logger: Any, method: str, event: structlog.typing.EventDict) -> str:
        """The rendered event, each of its lines with the priority of its level."""
        mark = f"<{_PRIORITIES.get(str(event.get('level')), 6)}>"
        return "\n".join(mark + line for line in str(self._render(logger, method, event)).split("\n"))


def _to_journal() -> bool:
    """Whether standard error goes to the journal of systemd, which says so in the environment (systemd.exec(5))."""
    try:
        there = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


def configure(settings: Settings) -> None:
    """Set up logging for this process: standard error, readable or JSON, one line an event."""
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_request,
        _scrubbed,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=False),
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if settings.log_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    ends: list[structlog.typing.Processor] = [structlog.processors.format_exc_info, _Journal(last) if _to_journal() else last]
    structlog.configure(
        processors=[*shared, *ends],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(_STDERR),
        cache_logger_on_first_use=True,
    )
    # libraries speak through the standard module: only what needs somebody, and never a request line (paths may name people)
    said = logging.StreamHandler(_STDERR)
    theirs: list[structlog.typing.Processor] = [structlog.stdlib.add_logger_name, *shared]
    said.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=theirs, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ends]
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[said], force=True)
    for name in ("uvicorn.access", "httpx", "apscheduler.executors.default", "apscheduler.scheduler"):
        logging.getLogger(name).setLevel(logging.ERROR)


def tell_of_ends() -> None:
    """From now on a thread that ends by a surprise, and a warning of a library, are events like others, in the form that was configured.

    Of a surprise its kind and place are told and never its text: that may name a person.
    """
    threading.excepthook = _thread_ended
    sys.unraisablehook = _unraised
    logging.captureWarnings(True)


def _thread_ended(told: threading.ExceptHookArgs) -> None:
    name = told.thread.name if told.thread is not None else ""
    structlog.get_logger().critical("a thread has ended", thread=name, error=told.exc_type.__name__, at=_place(told.exc_traceback))


def _unraised(told: "sys.UnraisableHookArgs") -> None:
    structlog.get_logger().error("an error nobody could be told", error=told.exc_type.__name__, at=_place(told.exc_traceback))


def _place(trace: TracebackType | None) -> str:
    """Where something was raised: file, line and function of the innermost calls, the innermost first."""
    calls = traceback.extract_tb(trace)[-_CALLS:]
    return " < ".join(f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in reversed(calls))


def settings_for(data: Path | None) -> Settings:
    """The settings of a data directory, with logging set up after them.

    Raises:
        Invalid: a setting is wrong, or root calls this on a directory of another user.
    """
    settings = config.load(data)
    config.as_its_owner(settings.data)
    configure(settings)
    return settings
