"""The tools that must have been called."""

from typing import Literal, Self

from pydantic import model_validator

from evals.scorers.outcome import Outcome, Scorer
from harness.models import ToolCall, ToolCallStatus

OR = "|"


class Tools(Scorer):
    """1 when the tools were called, each in a call of its own, and each ended as it should.

    Attributes:
        names: the tools; `a|b` where either serves.
        ordered: whether the calls must come in this order, with others between them or not.
        only: whether no other call may have been made; without names, none at all.
        status: how each call must have ended; a denied approval ends a call `denied`.
    """

    scorer: Literal["tools"] = "tools"
    names: tuple[str, ...] = ()
    ordered: bool = False
    only: bool = False
    status: ToolCallStatus = ToolCallStatus.SUCCEEDED

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.names or self.only):
            raise ValueError("give names, or only: true for no call at all")
        return self

    @property
    def alternatives(self) -> list[list[str]]:
        """For each call that is wanted, the tools that serve."""
        return [name.split(OR) for name in self.names]

    def score(self, outcome: Outcome) -> float:
        """1 or 0."""
        left = list(outcome.calls)
        start = 0
        for wanted in self.alternatives:
            at = self._find(left, wanted, start)
            if at is None:
                return 0.0
            del left[at]
            start = at if self.ordered else 0
        named = {name for wanted in self.alternatives for name in wanted}
        # A call that failed and was made again is no other tool.
        return float(not (self.only and any(call.name not in named for call in left)))

    def _find(self, calls: list[ToolCall], wanted: list[str], start: int) -> int | None:
        for at, call in enumerate(calls[start:], start):
            if call.name in wanted and call.status is self.status:
                return at
        return None
