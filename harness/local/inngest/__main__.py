"""`python -m harness.local.inngest`: the engine alone, on 127.0.0.1."""

import argparse
import asyncio
import logging
import socket
import sys
from pathlib import Path

import uvicorn
import uvloop

from harness.local.inngest.app import create_app
from harness.local.inngest.engine import WEEK_MS, Options
from harness.local.inngest.journal import Journal, JournalError

HOST = "127.0.0.1"
HOUR_MS = 3_600_000
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class _Server(uvicorn.Server):
    """A server that says when it is ready."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            sys.stdout.write(f"inngest listening on http://{HOST}:{port}\n")
            sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Run the engine until it is told to stop; the process's exit code."""
    port, options = parse_options(arguments)
    logging.basicConfig(level=options.log_level, format="inngest %(levelname)s %(message)s")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(port, options))


async def _serve(port: int, options: Options) -> int:
    failure: list[JournalError] = []
    try:
        await Journal(options.db, options.synchronous, failure.append).close()
    except JournalError as error:
        sys.stderr.write(f"{error}\n")
        return 2

    def stop(error: JournalError) -> None:
        failure.append(error)
        server.should_exit = True

    app = create_app(options, stop)
    server = _Server(
        uvicorn.Config(
            app,
            host=HOST,
            port=port,
            http="httptools",
            ws="none",
            access_log=False,
            log_level="warning",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
    )
    await server.serve()
    return 1 if failure or not server.started else 0


def parse_options(arguments: list[str] | None) -> tuple[int, Options]:
    """The port and what else the command line says.

    Nothing comes from the environment: the code that checks it would double the time of a start.

    Args:
        arguments: those of the process where there are none.
    """
    parser = argparse.ArgumentParser(
        prog="python -m harness.local.inngest", description="A local Inngest engine."
    )
    parser.add_argument("--port", type=int, default=8288, help="0 for a free one")
    parser.add_argument("--db", type=Path, default=Path("inngest.db"))
    parser.add_argument(
        "--backoff-ms",
        type=int,
        help="the first time between attempts, doubled up to eightfold, instead of Inngest's table",
    )
    parser.add_argument(
        "--retention-hours",
        type=_hours,
        default=WEEK_MS / HOUR_MS,
        help="how long a run is kept after its end",
    )
    parser.add_argument(
        "--synchronous",
        choices=("FULL", "NORMAL"),
        default="FULL",
        help="FULL survives a power cut, NORMAL only a killed process",
    )
    parser.add_argument(
        "--sdk-url",
        action="append",
        default=[],
        metavar="URL",
        help="an app's serve address, made to register as soon as it is up; may be repeated",
    )
    parser.add_argument("--signing-key", help="signed mode; without it, development mode")
    parser.add_argument(
        "--signing-key-fallback", help="good as well, while apps change from one key to the other"
    )
    parser.add_argument("--event-key", help="the only key events are accepted with")
    parser.add_argument("--log-level", type=str.upper, choices=_LEVELS, default="INFO")
    found = parser.parse_args(arguments)
    if found.signing_key_fallback and not found.signing_key:
        parser.error("--signing-key-fallback stands beside --signing-key: give both or neither")
    return found.port, Options(
        db=found.db,
        backoff_ms=found.backoff_ms,
        signing_key=found.signing_key,
        signing_key_fallback=found.signing_key_fallback,
        event_key=found.event_key,
        synchronous=found.synchronous,
        sdk_urls=tuple(found.sdk_url),
        retention_ms=int(found.retention_hours * HOUR_MS),
        log_level=found.log_level,
    )


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 < hours < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number of hours above zero")
    return hours


if __name__ == "__main__":
    sys.exit(main())
