"""The one interface of everything that retrieves."""

from typing import Protocol

from pydantic import BaseModel, ConfigDict


class Scope(BaseModel):
    """What may be retrieved; always within one user."""

    model_config = ConfigDict(frozen=True)

    user_id: str
    thread_id: str | None = None  # None: every thread of the user
    before_order: int | None = None  # only messages of a smaller order; needs `thread_id`
    sent_before: int | None = None  # milliseconds UTC: memory as it was at that time
    exclude: frozenset[str] = frozenset()  # ids of messages, as those that are shown anyway


class Hit(BaseModel):
    """Something retrieved, with why: each signal's weighted share of the score."""

    model_config = ConfigDict(frozen=True)

    id: str
    source: str  # "message" or "document"
    text: str
    score: float
    why: dict[str, float]
    thread_id: str
    order: int
    sent_at: int
    role: str
    speaker: str | None = None
    title: str | None = None  # of a document: its path and headings


class Retriever(Protocol):
    """Finds what a query asks for."""

    async def retrieve(self, query: str, k: int, scope: Scope) -> list[Hit]:
        """The best k hits within the scope, best first, each id once."""
