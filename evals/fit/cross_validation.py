"""Rankers for conversations that have seen nothing of them, to see what fitted weights can do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.fit.retrieval import Sample
from harness.context.hybrid import HybridRetriever
from harness.context.ranker import Judged, Ranker, fit_ranker
from harness.context.retriever import Scope
from harness.errors import HarnessError

FEWEST_FOLDS = 3
FITTED_ON = "all other conversations"


@dataclass(frozen=True)
class Labelled:
    """A question, what it may find, and the ids of the messages that answer it."""

    fold: str
    text: str
    scope: Scope
    relevant: tuple[str, ...]


async def fold_rankers(
    retriever: HybridRetriever, questions: Sequence[Labelled]
) -> Mapping[str, Ranker]:
    """A ranker for each fold, fitted on the questions of all others.

    Args:
        retriever: works out the signals, with all that the questions are about indexed.
        questions: of three folds at least.

    Returns:
        By fold; none of these rankers is kept anywhere.

    Raises:
        HarnessError: there are too few folds.
    """
    folds = sorted({question.fold for question in questions})
    if len(folds) < FEWEST_FOLDS:
        raise HarnessError(
            f"--fit cv: {len(folds)} conversations have questions, and it takes {FEWEST_FOLDS}",
            "Name a larger set, or leave --limit and --filter out.",
        )
    samples = [await _judged(retriever, question) for question in questions]
    return {
        fold: fit_ranker([each.judged for each in samples if each.group != fold], FITTED_ON)
        for fold in folds
    }


async def _judged(retriever: HybridRetriever, question: Labelled) -> Sample:
    ids, signals = await retriever.signals(question.text, question.scope)
    return Sample(question.fold, Judged(signals, np.isin(ids, list(question.relevant))))
