"""Structured logs: the event and its outcome, never the person."""

import logging
import sys
from pathlib import Path
from typing import Any

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


def _with_request(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    request = correlation_id.get()
    if request:
        event["request"] = request
    return event


def _scrubbed(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Nobody logs a number of a person; should one have come into a text all the same, its shape is logged."""
    return scrubbed(event)


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
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(_STDERR),
        cache_logger_on_first_use=True,
    )
    # libraries speak through the standard module: only what needs somebody, and never a request line (paths may name people)
    logging.basicConfig(level=logging.WARNING, stream=_STDERR, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s", force=True)
    for name in ("uvicorn.access", "httpx", "apscheduler.executors.default", "apscheduler.scheduler"):
        logging.getLogger(name).setLevel(logging.ERROR)


def settings_for(data: Path | None) -> Settings:
    """The settings of a data directory, with logging set up after them.

    Raises:
        Invalid: a setting is wrong, or root calls this on a directory of another user.
    """
    settings = config.load(data)
    config.as_its_owner(settings.data)
    configure(settings)
    return settings
