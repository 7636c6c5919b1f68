"""What the engine keeps, asked over its HTTP API."""

import time
from dataclasses import dataclass
from typing import Any

import httpx

PAGE = 1000
CRON = ":tick"

Document = dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """Every document.

    Attributes:
        ticks_at: when the ticks began to be read, in milliseconds since the epoch.
        jobs: the scheduled functions, read after all else.
    """

    accounts: list[Document]
    operations: list[Document]
    legs: list[Document]
    runs: list[Document]
    acts: list[Document]
    ticks: list[Document]
    ticks_at: float
    jobs: list[Document]

    @property
    def settled(self) -> bool:
        """Whether nothing that an operation scheduled has yet to run or to end."""
        return all(ended(job) for job in self.jobs if not job["name"].endswith(CRON))


def ended(job: Document) -> bool:
    """Whether a scheduled function has run, well or not."""
    return job["state"]["kind"] in ("success", "failed")


async def look_up(client: httpx.AsyncClient) -> Kept:
    """Read everything.

    Args:
        client: of the engine, as the holder of its admin key.
    """

    async def table(name: str) -> list[Document]:
        return await _pages(client, "audit:documents", {"table": name})

    found = {name: await table(name) for name in ("accounts", "operations", "legs", "runs", "acts")}
    ticks_at = time.time() * 1000
    ticks = await table("ticks")
    jobs = await _pages(client, "audit:jobs", {})
    return Kept(**found, ticks=ticks, ticks_at=ticks_at, jobs=jobs)


async def _pages(client: httpx.AsyncClient, path: str, arguments: Document) -> list[Document]:
    found: list[Document] = []
    cursor = None
    while True:
        options = {"numItems": PAGE, "cursor": cursor}
        asked = {"path": path, "args": arguments | {"paginationOpts": options}, "format": "json"}
        answer = await client.post("/api/query", json=asked)
        page = answer.json()["value"]
        found += page["page"]
        if page["isDone"]:
            return found
        cursor = page["continueCursor"]
