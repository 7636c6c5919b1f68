"""Rankers for conversations that have seen nothing of them, to see what fitted weights can do."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from evals.fit.retrieval import judge
from harness.context.memory import Memory
from harness.context.ranker import BY_HAND, Ranker, fit_ranker
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


def check_folds(folds: Collection[str]) -> None:
    """Tell before anything is indexed that there is too little to fit on.

    Args:
        folds: the conversations that have questions, each once.

    Raises:
        HarnessError: there are too few.
    """
    if len(folds) < FEWEST_FOLDS:
        raise HarnessError(
            f"--fit cv: {len(folds)} conversations have questions, and it takes {FEWEST_FOLDS}",
            "Name a larger set or --split all, or leave --limit and --filter out.",
        )


async def fold_rankers(memory: Memory, questions: Sequence[Labelled]) -> Mapping[str, Ranker]:
    """A ranker for each fold, fitted on the questions of all others.

    Args:
        memory: has all that the questions are about; how it ranks does not count.
        questions: of enough folds, see `check_folds`.

    Returns:
        By fold; none of these rankers is kept anywhere.
    """
    # Its recipe is that of the fitted rankers, whatever HARNESS_RANKER names.
    by_hand = memory.ranked_by(Ranker(weights=BY_HAND))
    judged = [await judge(by_hand, each.text, each.relevant, each.scope) for each in questions]
    folds = [question.fold for question in questions]
    return {
        fold: fit_ranker(
            [each for each, of in zip(judged, folds, strict=True) if of != fold], FITTED_ON
        )
        for fold in sorted(set(folds))
    }
