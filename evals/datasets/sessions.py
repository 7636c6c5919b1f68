"""The sittings of a conversation, told apart as the product tells them apart."""

from collections.abc import Sequence

from evals.datasets.loader import Turn
from harness.context.corpus import SESSION_GAP_MS


def sessions_of(turns: Sequence[Turn]) -> list[int]:
    """The number of the sitting that each turn belongs to, from 0.

    Args:
        turns: of one conversation, in order.
    """
    numbers: list[int] = []
    for index, turn in enumerate(turns):
        gap = turn.sent_at - turns[index - 1].sent_at if index else 0
        numbers.append((numbers[-1] if numbers else 0) + (gap > SESSION_GAP_MS))
    return numbers
