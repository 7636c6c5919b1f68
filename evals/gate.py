"""Conditions on figures, such as `recall@10 >= 0.60 and low(delta(recall@10)) > -0.02`.

    condition  = all { "or" all }
    all        = clause { ("and" | ",") clause }
    clause     = "(" condition ")" | term comparison number
    term       = gain | ("low" | "high") "(" gain ")"
    gain       = figure | "delta" "(" figure ")"

`low` and `high` are the ends of a figure's 95 % interval, `delta` what a run gained over another.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evals.figures import Figure
from harness.errors import HarnessError

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_DEEPEST = 50  # brackets within brackets; more is no condition that a person wrote
_WORD = re.compile(r"[A-Za-z_][\w@.]*")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_TOKEN = re.compile(rf"{_NUMBER.pattern}|{_WORD.pattern}|<=|>=|==|!=|\S")


@dataclass(frozen=True)
class Term:
    """A figure by its name, or what it gained, or one end of the interval of either."""

    name: str
    delta: bool = False
    end: str | None = None

    def of(
        self, figures: Mapping[str, Figure], gained: Mapping[str, Figure] | None
    ) -> float | None:
        """The value, or None where the run has none.

        Raises:
            HarnessError: there is no such figure, or it has no interval.
        """
        known = (gained or {}) if self.delta else figures
        if self.name not in known:
            raise HarnessError(
                f"{self} names the figure {self.name!r}, which this run does not have; "
                f"it has: {', '.join(sorted(known))}"
            )
        item = known[self.name]
        if self.end is None or item.value is None:
            return item.value
        bound = item.low if self.end == "low" else item.high
        if bound is None:
            raise HarnessError(f"{self} asks for an interval, and {self.name} has none")
        return bound

    def __str__(self) -> str:
        shown = f"delta({self.name})" if self.delta else self.name
        return f"{self.end}({shown})" if self.end else shown


@dataclass(frozen=True)
class Clause:
    """One bound on one figure."""

    term: Term
    comparison: str
    bound: float

    def missed(
        self, figures: Mapping[str, Figure], gained: Mapping[str, Figure] | None = None
    ) -> list[str]:
        """The line that says how it was missed, or nothing; what has no value misses.

        Args:
            figures: of the run.
            gained: what the run's figures gained over another's, for `delta`.

        Raises:
            HarnessError: the run has no such figure.
        """
        value = self.term.of(figures, gained)
        if value is not None and COMPARISONS[self.comparison](value, self.bound):
            return []
        shown = "without a value" if value is None else f"{value:.4g}"
        return [f"missed: {self.term} is {shown}, wanted {self.comparison} {self.bound:g}"]

    def needs_two_runs(self) -> bool:
        """Whether it asks what was gained."""
        return self.term.delta


@dataclass(frozen=True)
class Several:
    """Conditions of which all must hold, or any."""

    parts: tuple["Condition", ...]
    any_suffices: bool

    def missed(
        self, figures: Mapping[str, Figure], gained: Mapping[str, Figure] | None = None
    ) -> list[str]:
        """A line for each clause by which it was missed, or nothing; see `Clause.missed`."""
        found = [part.missed(figures, gained) for part in self.parts]
        if self.any_suffices and not all(found):
            return []
        return [line for lines in found for line in lines]

    def needs_two_runs(self) -> bool:
        """Whether any part asks what was gained."""
        return any(part.needs_two_runs() for part in self.parts)


Condition = Clause | Several


def parse_gate(text: str, option: str = "--gate", *, compared: bool = False) -> Condition:
    """Read a condition.

    Args:
        text: as in the module's description.
        option: what it was written after, for the error.
        compared: whether there is another run for `delta`.

    Raises:
        HarnessError: it can not be read, or asks for `delta` of one run.
    """
    condition = _Reader(text, option).whole()
    if condition.needs_two_runs() and not compared:
        raise HarnessError(
            f"{option} asks for delta, and one run has nothing to be compared with",
            "Use it with `harness compare`.",
        )
    return condition


class _Reader:
    """Reads one text from left to right, without looking back."""

    def __init__(self, text: str, option: str) -> None:
        self._text = text
        self._option = option
        self._tokens = _TOKEN.findall(text)
        self._at = 0

    def whole(self) -> Condition:
        condition = self._any(0)
        if self._peek():
            raise self._unreadable()
        return condition

    def _any(self, depth: int) -> Condition:
        parts = [self._all(depth)]
        while self._took("or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Several(tuple(parts), any_suffices=True)

    def _all(self, depth: int) -> Condition:
        parts = [self._clause(depth)]
        while self._took("and", ","):
            parts.append(self._clause(depth))
        return parts[0] if len(parts) == 1 else Several(tuple(parts), any_suffices=False)

    def _clause(self, depth: int) -> Condition:
        if depth < _DEEPEST and self._took("("):
            inner = self._any(depth + 1)
            self._take(")")
            return inner
        term = self._term()
        comparison = self._take(*COMPARISONS)
        return Clause(term, comparison, float(self._take_like(_NUMBER)))

    def _term(self) -> Term:
        word = self._take_like(_WORD)
        if word in ("low", "high") and self._took("("):
            gain = self._gain(self._take_like(_WORD))
            self._take(")")
            return Term(gain.name, gain.delta, word)
        return self._gain(word)

    def _gain(self, word: str) -> Term:
        if word == "delta" and self._took("("):
            name = self._take_like(_WORD)
            self._take(")")
            return Term(name, delta=True)
        return Term(word)

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _took(self, *wanted: str) -> str:
        found = self._peek() if self._peek() in wanted else ""
        self._at += bool(found)
        return found

    def _take(self, *wanted: str) -> str:
        found = self._took(*wanted)
        if not found:
            raise self._unreadable()
        return found

    def _take_like(self, pattern: re.Pattern[str]) -> str:
        found = self._peek()
        if not pattern.fullmatch(found):
            raise self._unreadable()
        self._at += 1
        return found

    def _unreadable(self) -> HarnessError:
        place = repr(self._peek()) if self._peek() else "its end"
        return HarnessError(
            f"{self._option} cannot read {self._text.strip()!r}: stuck at {place}",
            "Write it like: recall@10 >= 0.6 and errors == 0",
        )
