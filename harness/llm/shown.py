"""What an answer was shown, as it is kept beside it."""

from collections.abc import Sequence

from harness.context.assembly import GatheredContext
from harness.context.retriever import Hit
from harness.llm.turns import TurnResult
from harness.models import ContextRecord, ShownMemory


def shown_memories(context: GatheredContext, results: Sequence[TurnResult]) -> list[ShownMemory]:
    """The memories and documents that stood in a prompt of the answer.

    Args:
        context: what was gathered.
        results: of every turn. One kept by an older version does not say what it was shown: then
            it was everything.
    """
    ids = {name for result in results for name in result.shown or ()}
    everything = any(result.shown is None for result in results)
    gathered = [*context.memories, *context.documents]
    return [_shown(hit) for hit in gathered if everything or hit.id in ids]


def context_record(results: Sequence[TurnResult]) -> ContextRecord | None:
    """How the last prompt was filled: the one with every result, from which the most was left out.

    Args:
        results: of every turn.
    """
    return results[-1].prompt


def _shown(hit: Hit) -> ShownMemory:
    message = hit.source == "message"
    return ShownMemory(
        source=hit.source,
        score=hit.score,
        text=hit.text,
        id=hit.id,
        thread_id=hit.thread_id if message else None,
        order=hit.order if message else None,
        title=hit.title,
        why=hit.why,
    )
