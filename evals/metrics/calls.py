"""A model's calls: the right functions, the right arguments, the right order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evals.datasets.records import CallCase
from evals.metrics.bfcl_checker import Call, ast_problem, order_problem

ORDERED = frozenset({"sequence"})  # categories whose calls depend on their order
ANY_CALL = frozenset({"live_relevance"})  # whose cases want a call and do not say which


@dataclass(frozen=True)
class CallScores:
    """Scores of one case, 0 or 1.

    Attributes:
        name: the functions are those wanted, each as often as wanted.
        ast: so are the arguments.
        order: the order too; None where it does not matter.
        problem: what is wrong, None for nothing.
    """

    name: float
    ast: float
    order: float | None
    problem: str | None


def score_calls(case: CallCase, calls: Sequence[Call], tried: int) -> CallScores:
    """Hold the calls of a case against its truth.

    Args:
        case: with its truth; where that is empty, right is to call nothing, but for `ANY_CALL`.
        calls: those that could run, by the set's own names of the functions.
        tried: how many calls the model made, those that could not run too.
    """
    if not case.truth:
        return _without_truth(case, len(calls), tried)
    problem = ast_problem(case, calls)
    ordered = order_problem(case, calls) if case.category in ORDERED else None
    made = Counter(name for call in calls for name in call)
    wanted = Counter(name for call in case.truth for name in call)
    return CallScores(
        name=float(made == wanted),
        ast=float(problem is None),
        order=float(ordered is None) if case.category in ORDERED else None,
        problem=problem or ordered,
    )


def _without_truth(case: CallCase, made: int, tried: int) -> CallScores:
    if case.category in ANY_CALL:
        problem = None if made else "no call, where one was wanted"
    else:
        problem = f"{tried} calls, where none fits" if tried else None
    right = float(problem is None)
    return CallScores(right, right, None, problem)
