"""How long it takes to fill a database: by an import, and by mutations."""

import shutil
import time
from pathlib import Path

import httpx

from evals.figures import Figure, figure
from harness.local.part import Part
from loadtest.bench.names import short
from loadtest.bench.store.scripts import Generator, run_script
from loadtest.bench.store.servers import cpu_s, database, database_mb, engine_part


async def imported(
    folder: Path, documents: int, client: httpx.AsyncClient
) -> tuple[Part, dict[str, Figure]]:
    """An engine that runs, with an import of so many messages.

    Args:
        folder: for its database and log.
        documents: how many messages.
        client: for its health checks.

    Returns:
        The engine, and the seconds from the start of the import to its first answer.
    """
    name = short(documents)
    export = folder / f"export-{name}"
    await run_script("bench/documents.ts", "--count", str(documents), "--to", str(export))
    part = engine_part(name, folder, client)
    began = time.perf_counter()
    await run_script("engine/main.ts", "--db", str(database(folder, name)), "--import", str(export))
    await part.start()  # the first start makes the project's indexes
    taken_s = time.perf_counter() - began
    shutil.rmtree(export)
    return part, {
        f"import_s_{name}": figure(taken_s, "s", documents),
        f"database_mb_{name}": figure(database_mb(folder, name), "MB", documents),
    }


async def filled(
    folder: Path, documents: int, generator: Generator, client: httpx.AsyncClient
) -> dict[str, Figure]:
    """Seconds in which an empty engine takes so many messages by mutations of a thousand each."""
    part = engine_part("filled", folder, client)
    try:
        await part.start()
        before_s = cpu_s(part)
        answer = await generator.ask("fill", url=part.spec.url, documents=documents)
        taken_s = cpu_s(part) - before_s
    finally:
        await part.stop()
    return {
        f"seed_s_{short(documents)}": figure(answer["seconds"], "s", documents),
        f"seed_cpu_s_{short(documents)}": figure(taken_s, "s", documents),
    }
