"""What older messages of a thread said: who sums it up, and which messages come next."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

from harness.llm.models import ModelSpec
from harness.models import ThreadSummary
from harness.settings import Settings


class SummaryStore(Protocol):
    """Where summaries are kept."""

    async def summary(self, thread_id: str) -> ThreadSummary | None:
        """The thread's summary, None before there was one."""


def summarises(spec: ModelSpec, settings: Settings) -> bool:
    """Whether messages to this model are answered with summaries, and their threads summed up.

    By itself, a small model does not (of SmolLM2's five, one was a copy and four went round in
    circles, and its prompt has no place for one) and neither does a simulated one (its words mean
    nothing, and a load run must not be changed by requests that no user made).

    Args:
        spec: the model.
        settings: `summaries` says always or never for every model.
    """
    if settings.summaries == "auto":
        return spec.style != "small" and not spec.simulated
    return settings.summaries == "always"


def may_be_due(order: int, settings: Settings) -> bool:
    """Whether a thread is long enough to have so many older messages.

    Args:
        order: of its newest message.
        settings: how many the history shows, and how many more it takes.
    """
    return order + 1 >= settings.history_messages + settings.summary_after


def covered_next(costs: Sequence[int], tokens: int) -> int:
    """How many messages the next summary covers: the first that fit, and one in any case.

    Args:
        costs: tokens of each message that no summary covers yet, oldest first.
        tokens: room for them.
    """
    for i, spent in enumerate(accumulate(costs)):
        if spent > tokens:
            return max(1, i)
    return len(costs)
