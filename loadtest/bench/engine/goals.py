"""What the engine is held to, as conditions on the bench's figures."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evals.figures import Figure
from evals.gate import Clause, Term


@dataclass(frozen=True)
class Judged:
    """A goal and whether it was met; `words` say both."""

    met: bool
    words: str


# The names of figures end in the sizes that were measured.
_GOALS = (
    (r"engine_over_floor", "<=", 2),
    (r"burst_over_floor(_\w+)?", ">=", 0.8),
    (r"stored_over_engine_p50_ms", "<=", 1.1),
    (r"stored_over_engine_runs_per_s", ">=", 0.9),
    (r"woken_early", "==", 0),
    (r"start_(?!.*cpu)\w+_ms", "<", 1000),
)


def judge(figures: Mapping[str, Figure]) -> Iterator[Judged]:
    """Each goal whose figures are there, in the order of the goals."""
    for pattern, comparison, bound in _GOALS:
        for name, item in figures.items():
            if not re.fullmatch(pattern, name):
                continue
            missed = Clause(Term(name), comparison, bound).missed(figures)
            met = f"met: {name} is {item.value:.4g}, wanted {comparison} {bound:g}"
            yield Judged(not missed, missed[0] if missed else met)
