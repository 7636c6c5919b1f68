"""The processes of the bench: engines with its own project, and a server that does nothing."""

import os
from pathlib import Path

import httpx

from harness.local.convex import ROOM, convex_command, script_command
from harness.local.part import Part, PartSpec
from harness.local.ports import free_port
from harness.local.process import group_cpu_s, group_memory_mb

HOST = "127.0.0.1"
PROJECT = ROOM / "bench" / "project"
ADMIN_KEY = {"CONVEX_ADMIN_KEY": "bench"}  # of an engine that lives as long as the bench


def engine_part(name: str, folder: Path, client: httpx.AsyncClient) -> Part:
    """An engine with the bench's functions.

    Args:
        name: of its database, log and process.
        folder: where those are.
        client: for its health checks.
    """
    port = free_port()
    command = convex_command(database(folder, name), port, PROJECT)
    spec = PartSpec(name, command, f"http://{HOST}:{port}", "/version", ADMIN_KEY)
    return Part(spec, os.environ, folder / f"{name}.log", client)


def floor_part(folder: Path, client: httpx.AsyncClient) -> Part:
    """A server that answers each request at once, whatever it asks."""
    port = free_port()
    command = script_command("bench/floor.ts", "--port", str(port))
    spec = PartSpec("floor", command, f"http://{HOST}:{port}", "/")
    return Part(spec, os.environ, folder / "floor.log", client)


def database(folder: Path, name: str) -> Path:
    """The file of an engine's database."""
    return folder / f"{name}.db"


def database_mb(folder: Path, name: str) -> float:
    """What a database takes on disk, its log too, in megabytes (10^6 bytes)."""
    return sum(file.stat().st_size for file in folder.glob(f"{name}.db*")) / 1e6


def cpu_s(part: Part) -> float:
    """Processor time that a process has used since its start, in seconds."""
    return group_cpu_s(_group(part))


def memory_mb(part: Part) -> float:
    """Resident memory of a process, in megabytes (10^6 bytes)."""
    return group_memory_mb(_group(part))


def _group(part: Part) -> set[int]:
    return {part.pid} if part.pid else set()
