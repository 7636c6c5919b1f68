"""Service level objectives over a run's figures, such as `completed_p95_ms < 2000, errors == 0`."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.errors import HarnessError

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
TERM = re.compile(r"\s*([\w@]+)\s*(<=|>=|==|<|>)\s*(-?\d+(?:\.\d+)?)\s*")


@dataclass(frozen=True)
class Objective:
    """One bound on one figure."""

    figure: str
    comparison: str
    bound: float

    def missed(self, figures: Mapping[str, float]) -> str | None:
        """A line that says how the objective was missed, or None when it was met.

        Raises:
            HarnessError: when the run has no such figure.
        """
        if self.figure not in figures:
            raise HarnessError(
                f"--slo names the figure {self.figure!r}, which this run does not have; "
                f"it has: {', '.join(sorted(figures))}"
            )
        value = figures[self.figure]
        if COMPARISONS[self.comparison](value, self.bound):
            return None
        return f"missed: {self.figure} is {value:g}, wanted {self.comparison} {self.bound:g}"


def parse(expression: str) -> list[Objective]:
    """Read objectives separated by commas.

    Raises:
        HarnessError: for a term that is not `FIGURE COMPARISON NUMBER`.
    """
    objectives = []
    for term in expression.split(","):
        match = TERM.fullmatch(term)
        if match is None:
            raise HarnessError(
                f"--slo cannot read {term.strip()!r}; write it like: completed_p95_ms < 2000"
            )
        objectives.append(Objective(match[1], match[2], float(match[3])))
    return objectives
