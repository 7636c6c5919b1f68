"""Tool selection: choice among tools, abstention and calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evals.statistics import Floats, Statistic, ratio_statistic

ECE_BINS = 10


def top_k_hit(ranked: Sequence[str], gold: Sequence[str], k: int) -> float:
    """1 when one of the first `k` is a gold tool."""
    return float(bool(set(ranked[:k]) & set(gold)))


def recall_at(ranked: Sequence[str], gold: Sequence[str], k: int) -> float:
    """The share of gold tools among the first `k`."""
    return len(set(ranked[:k]) & set(gold)) / len(set(gold))


def abstain_precision(abstained: npt.ArrayLike, none_needed: npt.ArrayLike) -> Statistic:
    """Of the requests that were offered no tool, the share that needed none.

    Args:
        abstained: 0/1 a sample.
        none_needed: 0/1 a sample, the gold.
    """
    said = np.asarray(abstained, np.float64)
    return ratio_statistic(said * np.asarray(none_needed, np.float64), said)


def abstain_recall(abstained: npt.ArrayLike, none_needed: npt.ArrayLike) -> Statistic:
    """Of the requests that needed no tool, the share that were offered none."""
    truth = np.asarray(none_needed, np.float64)
    return ratio_statistic(truth * np.asarray(abstained, np.float64), truth)


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram; `confidence` and `accuracy` are means over `n` samples."""

    low: float
    high: float
    confidence: float
    accuracy: float
    n: int


def bin_of(confidence: npt.ArrayLike, bins: int = ECE_BINS) -> npt.NDArray[np.int64]:
    """The equal-width bin of each confidence; 1.0 falls into the last."""
    scaled = np.asarray(confidence, np.float64) * bins
    return np.clip(scaled.astype(np.int64), 0, bins - 1)


def reliability(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, bins: int = ECE_BINS
) -> list[Bin]:
    """The non-empty bins of a reliability diagram.

    Args:
        confidence: what the system said its chance of being right was, 0 to 1.
        correct: 0/1 a sample.
        bins: how many, of equal width.
    """
    sure, right = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    member = bin_of(sure, bins)
    return [
        Bin(
            low=index / bins,
            high=(index + 1) / bins,
            confidence=float(sure[member == index].mean()),
            accuracy=float(right[member == index].mean()),
            n=int((member == index).sum()),
        )
        for index in range(bins)
        if (member == index).any()
    ]


def ece(confidence: npt.ArrayLike, correct: npt.ArrayLike, bins: int = ECE_BINS) -> Statistic:
    """Expected calibration error: the mean gap of confidence and accuracy over the bins.

    Source: Naeini et al., AAAI 2015; Guo et al., On Calibration of Modern Neural Networks (2017).
    """
    gap = np.asarray(confidence, np.float64) - np.asarray(correct, np.float64)
    member = bin_of(confidence, bins)
    per_bin = np.where(member[:, None] == np.arange(bins)[None, :], gap[:, None], 0.0)

    def error(counts: Floats) -> Floats:
        gaps: Floats = np.abs(counts @ per_bin).sum(axis=1) / counts.sum(axis=1)
        return gaps

    return error
