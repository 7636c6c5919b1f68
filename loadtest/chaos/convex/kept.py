"""What the engine keeps, asked over its HTTP API."""

from dataclasses import dataclass
from typing import Any

import httpx

PAGE = 1000

Document = dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """Every document.

    Attributes:
        ticks: what a cron job has left, whose runs cannot be read themselves.
        jobs: the scheduled functions.
    """

    accounts: list[Document]
    operations: list[Document]
    legs: list[Document]
    runs: list[Document]
    acts: list[Document]
    ticks: list[Document]
    jobs: list[Document]

    @property
    def settled(self) -> bool:
        """Whether nothing that an operation scheduled has yet to run or to end."""
        return all(ended(job) for job in self.jobs)


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

    tables = ("accounts", "operations", "legs", "runs", "acts", "ticks")
    found = {name: await table(name) for name in tables}
    return Kept(**found, jobs=await _pages(client, "audit:jobs", {}))


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
