"""How signals become one score: bring each to 0–1, smooth, weigh, add."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Neighbours = Callable[[NDArray[np.int64], int], NDArray[np.int64]]


def min_max(scores: Scores, within: NDArray[np.bool_]) -> Scores:
    """Scores brought to 0–1 over the documents that may be retrieved.

    Args:
        scores: float32 [documents]; NaN where unknown, which counts as the least.
        within: bool [documents], those that may be retrieved; the others get 0.

    Returns:
        float32 [documents]; all 0 when every score is the same, as such a signal says nothing.
    """
    known = within & ~np.isnan(scores)
    if not known.any():
        return np.zeros(len(scores), np.float32)
    low = scores.min(initial=np.inf, where=known)
    high = scores.max(initial=-np.inf, where=known)
    if high == low:
        return np.zeros(len(scores), np.float32)
    scaled = (scores - low) / (high - low)
    # What is out of scope may lie out of range; a tiny range may round past 1.
    return np.where(known, np.clip(scaled, 0, 1), np.float32(0))


def strength(scores: Scores, within: NDArray[np.bool_], full: float) -> float:
    """How much a signal has to say, 0–1: its best score as a share of a full one.

    Scaled to its own best alone, a match of one chance word would count as much as a match of all.

    Args:
        scores: float32 [documents], none negative.
        within: bool [documents], those that may be retrieved.
        full: the score from which on the signal counts whole.
    """
    high = float(scores[within].max(initial=0))
    return min(1.0, high / full) if full > 0 else 0.0


def smooth(scores: Scores, neighbours: Neighbours, kernel: Mapping[int, float]) -> Scores:
    """Let documents share in their neighbours' scores.

    An answer is often found by its question's words, and the other way round. Few documents have
    a score at all, so it is they who hand theirs on.

    Args:
        scores: float32 [documents], 0 where a document has none.
        neighbours: of the documents named, the one that stands so many places on; negative where
            none does.
        kernel: the weight of the neighbour at each offset, -1 being the one before.
    """
    result = np.zeros(len(scores), np.float32)
    giving = np.flatnonzero(scores)
    for offset, weight in kernel.items():
        taking = neighbours(giving, -offset)
        there = taking >= 0
        result[taking[there]] += np.float32(weight) * scores[giving[there]]
    return result


def weigh(signals: Mapping[str, Scores], weights: Mapping[str, float]) -> Scores:
    """The weighted sum of signals; one without a weight counts nothing."""
    first = next(iter(signals.values()))
    total = np.zeros(len(first), np.float32)
    for name, scores in signals.items():
        total += weights.get(name, 0.0) * scores
    return total


def best(scores: Scores, within: NDArray[np.bool_], k: int) -> Sequence[int]:
    """The k best documents that may be retrieved, best first; ties go to the later document."""
    numbers = np.flatnonzero(within)
    if len(numbers) > k:
        cut = np.partition(scores[numbers], len(numbers) - k)[len(numbers) - k]
        numbers = numbers[scores[numbers] >= cut]
    order = np.lexsort((-numbers, -scores[numbers]))
    return [int(i) for i in numbers[order][:k]]
