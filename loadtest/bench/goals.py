"""What the engines are held to, as conditions on a bench's figures."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console

from evals.figures import Figure
from evals.gate import Clause, Term

Goals = tuple[tuple[str, str, float], ...]  # pattern of a figure's name, comparison, bound

# The names of figures end in the sizes that were measured.
ENGINE_GOALS: Goals = (
    (r"engine_over_floor", "<=", 2),
    (r"burst_over_floor(_\w+)?", ">=", 0.8),
    (r"stored_over_engine_p50_ms", "<=", 1.1),
    (r"stored_over_engine_runs_per_s", ">=", 0.9),
    (r"woken_early", "==", 0),
    (r"start_(?!.*cpu)\w+_ms", "<", 1000),
)
STORE_GOALS: Goals = (
    (r"reads_per_s_largest_over_smallest", ">=", 0.9),
    (r"mutations_per_s_16", ">=", 3000),
    (r"push_p95_ms_500", "<", 30),
    (r"seed_s_100k", "<", 10),
)


@dataclass(frozen=True)
class Judged:
    """A goal and whether it was met; `words` say both."""

    met: bool
    words: str


def judge(figures: Mapping[str, Figure], goals: Goals) -> Iterator[Judged]:
    """Each goal whose figures are there, in the order of the goals."""
    for pattern, comparison, bound in goals:
        for name, item in figures.items():
            if not re.fullmatch(pattern, name):
                continue
            missed = Clause(Term(name), comparison, bound).missed(figures)
            met = f"met: {name} is {item.value:.4g}, wanted {comparison} {bound:g}"
            yield Judged(not missed, missed[0] if missed else met)


def print_goals(figures: Mapping[str, Figure], goals: Goals, console: Console) -> None:
    """Print each goal as met or missed."""
    for goal in judge(figures, goals):
        console.print(goal.words, style="green" if goal.met else "bold red", highlight=False)
