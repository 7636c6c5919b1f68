"""How each part of the stack is run."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from harness.errors import HarnessError
from harness.local.chroma import CHROMA_ENV, chroma_command
from harness.local.convex import admin_key, convex_command
from harness.local.environment import APPS, url_of
from harness.local.home import Home
from harness.local.part import PartSpec
from harness.settings import Settings

_GRACEFUL_S = 3  # an API may hold open streams; its stop does not wait for their readers


def part_spec(
    name: str, settings: Settings, home: Home, sync: Callable[[], Awaitable[None]]
) -> PartSpec:
    """How to run a part on this machine.

    Args:
        name: one of `environment.PARTS`.
        settings: of the stack.
        home: the stack's folder.
        sync: makes Inngest learn the worker's functions; called after each of its starts.

    Raises:
        HarnessError: the part can't be run here, or its address is no local one.
    """
    address = url_of(name, settings)
    port = local_port(name, address)
    url = f"http://127.0.0.1:{port}"
    if name in APPS:
        return PartSpec(
            name,
            _app_command(name, port),
            url,
            "/healthz",
            tier=1,
            when_ready=sync if name == "worker" else None,
        )
    if name == "convex":
        env = {"CONVEX_ADMIN_KEY": admin_key(home)}
        return PartSpec(name, convex_command(home.convex_db, port), url, "/version", env)
    if name == "chroma":
        command = chroma_command(home.chroma, port)
        return PartSpec(name, command, url, "/api/v2/heartbeat", CHROMA_ENV)
    if name == "inngest":
        return PartSpec(name, inngest_command(settings, port, home.inngest_db), url, "/health")
    return PartSpec(name, _module_command(name, port), url, "/health")


def local_port(part: str, url: str) -> int:
    """The port of a part's address.

    Raises:
        HarnessError: the address is not on this machine or has no port.
    """
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError:
        port = None
    if port is None or found.hostname not in ("127.0.0.1", "localhost"):
        raise HarnessError(
            f"{part} is at {url!r}, which is no address of this machine with a port",
            "Give one like http://127.0.0.1:8300",
        )
    return port


def inngest_command(settings: Settings, port: int, database: Path) -> list[str]:
    """The command of the local Inngest engine, which reads no environment.

    Args:
        settings: say how long runs are kept, how attempts are spaced, how the disk is written.
        port: 0 for a free one.
        database: its file.
    """
    backoff = settings.inngest_backoff_ms
    return [
        *_module_command("inngest", port),
        *("--db", str(database)),
        *("--synchronous", settings.sqlite_synchronous),
        *("--retention-hours", str(settings.inngest_retention_hours)),
        *("--log-level", settings.log_level),
        *(() if backoff is None else ("--backoff-ms", str(backoff))),
    ]


def _module_command(name: str, port: int) -> list[str]:
    return [sys.executable, "-m", f"harness.local.{name}", "--port", str(port)]


def _app_command(name: str, port: int) -> list[str]:
    return [
        sys.executable,
        "-m",
        "uvicorn",
        "--factory",
        f"harness.app:{name}",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--log-level",
        "warning",
        "--no-access-log",
        "--timeout-graceful-shutdown",
        str(_GRACEFUL_S),
    ]
