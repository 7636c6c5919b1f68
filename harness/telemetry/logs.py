"""Structured logs: one event a line, never a token or a key in it."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

HIDDEN = "[hidden]"

_SECRET_NAMES = re.compile(
    r"(authorization|cookie|password|secret|signing_?key|deploy_?key|admin_?key|event_?key|"
    r"api_?key|jwt_?key|^token$|_token$)",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JWT
    r"|\b(?:sk|signkey|ak|mt|oat|m2m)[-_][\w-]{12,}"  # OpenAI's, Inngest's and Clerk's keys
    r"|(?<=Bearer )[^\s\"']+|(?<=Convex )[^\s\"']*\|[^\s\"']+"
    r"|(?<=://)[^/\s\"'@]+(?=@)"  # who a URL signs in as
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----"
)


def redact(value: Any) -> Any:
    """A copy of a logged value without credentials.

    Args:
        value: text, or mappings and sequences of it; anything else comes back as it is.
    """
    if isinstance(value, str):
        return _SECRET_TEXT.sub(HIDDEN, value)
    if isinstance(value, dict):
        return {
            key: HIDDEN if _SECRET_NAMES.search(str(key)) and item else redact(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


def _redact_event(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return dict(redact(dict(event)))


def configure_logs(
    level: str = "INFO", *, as_json: bool = False, stream: TextIO | None = None
) -> None:
    """Send structlog's and the standard library's records through one redacting renderer.

    Args:
        level: the lowest level that is written, as `logging` names it.
        as_json: JSON lines for machines; else columns for a person.
        stream: where to write; stderr when None.
    """
    target = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=target.isatty())
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for client in ("httpx", "httpx2"):  # they write every request's address at info
        logging.getLogger(client).setLevel("WARNING")
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module; bind what every line of a run should carry."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
