"""How the operator logs: structured, one line an entry, JSON unless a person watches.

Here: the set-up, for our own entries and those of the libraries. Elsewhere: what is logged. Messages are constant, keys
are lowerCamel, and an entry about a pipeline has namespace and name and, where they are known, generation, run and
stage: the worker binds them once for a pass. info is what changed, warning what a person may look at, error a fault of
ours, debug how it came about. Logs are never the user interface: conditions and Events are. No body of a request is
ever logged.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO

import structlog

_UNWANTED = (
    # The watcher runs in a thread of its own on purpose; signals are ours (__main__.py).
    "OS signals are ignored",
    # There is nothing to clean up.
    "Cleanup activity is",
)


def configure(level: str = "info", form: str = "auto", stream: TextIO | None = None) -> None:
    """Set up logging for the whole process; `form` is auto, json or console."""
    out = stream if stream is not None else sys.stderr
    console = form == "console" or (form == "auto" and out.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _object_of_kopf,
    ]
    renderer: list[structlog.typing.Processor] = (
        # Without the values of local variables: they hold objects, and objects hold what nobody should read.
        [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(sort_keys=False)]
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    handler.addFilter(_wanted)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Else they are lines on stderr that are no JSON.
    logging.captureWarnings(True)
    # At info it would say of every event that its handler succeeded.
    logging.getLogger("kopf").setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def bound(**known: object) -> contextlib.AbstractContextManager[None]:
    """Have every entry that is made within say this too, of whatever logger, in this task and those that it starts."""
    return structlog.contextvars.bound_contextvars(**known)


def _object_of_kopf(_logger: object, _method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Say which object an entry of kopf is about, as ours do: it carries that beside the message."""
    about = getattr(entry.get("_record"), "k8s_ref", None) or {}
    for key in ("kind", "namespace", "name"):
        if about.get(key):
            entry.setdefault(key, about[key])
    return entry


def _wanted(record: logging.LogRecord) -> bool:
    return not (isinstance(record.msg, str) and record.msg.startswith(_UNWANTED))


def logger(room: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a room."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(f"modelpipeline.{room}")
    return bound
