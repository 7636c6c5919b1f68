"""Searching what was said before."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from harness.context.retriever import Scope
from harness.models import Effect
from harness.tools.context import ToolContext
from harness.tools.registry import example, tool

HITS = 5


@tool(
    effect=Effect.READ,
    examples=[
        example("What did I tell you about my landlord?", query="landlord"),
        example("Search our conversation for the hotel's name", query="hotel name"),
        example("Look up what we said earlier about the car repair", query="car repair"),
        example("Have I ever mentioned my allergies to you?", query="allergies"),
        example(
            "Go back through our chat and find the wifi password I gave you", query="wifi password"
        ),
        example("Check your memory for the plumber I talked about", query="plumber"),
        example("When did we last discuss the budget?", query="budget"),
        example(
            "What did I say about the deposit in this conversation?",
            query="deposit",
            this_thread=True,
        ),
    ],
)
async def search_memory(
    query: Annotated[
        str, Field(description="What to look for, in a few words", min_length=1, max_length=500)
    ],
    this_thread: Annotated[
        bool, Field(description="Whether to search only the present conversation")
    ] = False,
    *,
    context: ToolContext,
) -> list[str]:
    """Search earlier messages of the user's conversations for what was said about something."""
    thread_id = context.thread_id if this_thread else None
    scope = Scope(user_id=context.user_id, thread_id=thread_id)
    hits = await context.memory.retrieve(query, HITS, scope)
    return [
        f"{datetime.fromtimestamp(hit.sent_at / 1000, UTC):%Y-%m-%d} "
        f"{hit.speaker or hit.role}: {hit.text}"
        for hit in hits
    ] or [f"Nothing was said about {query!r}."]
