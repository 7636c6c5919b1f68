"""The processes of the bench: the app, our engine empty, and our engine with runs stored."""

import json
import os
import sys
from pathlib import Path

import httpx

from harness.local.part import Part, PartSpec
from harness.local.parts import inngest_command
from harness.local.ports import free_port
from harness.settings import get_settings
from loadtest.bench.engine.app import ENGINES_ENV, REPORTS_ENV

HOST = "127.0.0.1"


def engine_part(name: str, folder: Path, client: httpx.AsyncClient) -> Part:
    """Our engine as a process.

    Args:
        name: of its database, log and process.
        folder: where those are.
        client: for its health checks.
    """
    port = free_port()
    command = inngest_command(get_settings(), port, database(folder, name))
    spec = PartSpec(name, command, f"http://{HOST}:{port}", "/health")
    return Part(spec, os.environ, folder / f"{name}.log", client)


def database(folder: Path, name: str) -> Path:
    """The file of an engine's database."""
    return folder / f"{name}.db"


def app_part(
    engines: dict[str, str], reports: Path, folder: Path, workers: int, client: httpx.AsyncClient
) -> Part:
    """The app as a process, served as the stack serves its own.

    Args:
        engines: the address of each engine it registers with, by name.
        reports: the socket it reports to.
        folder: where its log is.
        workers: how many processes it has.
        client: for its health checks.
    """
    port = free_port()
    command = [
        *(sys.executable, "-m", "uvicorn", "--factory", "loadtest.bench.engine.app:create"),
        *("--host", HOST, "--port", str(port), "--loop", "uvloop", "--http", "httptools"),
        *("--log-level", "warning", "--no-access-log", "--workers", str(workers)),
    ]
    env = {ENGINES_ENV: json.dumps(engines), REPORTS_ENV: str(reports)}
    spec = PartSpec("app", command, f"http://{HOST}:{port}", "/healthz", env)
    return Part(spec, os.environ, folder / "app.log", client)
