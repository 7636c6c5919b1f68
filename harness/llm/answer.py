"""One answer as its turns make it: what the next turn may do, and when it must be the last."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from harness.context.gather import GatheredContext
from harness.llm.turns import CallOutcome, PastTurn, TurnRequest, TurnResult
from harness.llm.usage import cost
from harness.settings import ModelPrice, Settings
from harness.tools.registry import ToolSpec

# Why a model is asked for its answer without tools: a ceiling, or a call that it could not repair.
Limit = Literal["turns", "calls", "cost", "repair"]


@dataclass(frozen=True)
class Ceilings:
    """What one message may take at most.

    Attributes:
        turns: model calls, the last of which is the answer itself.
        calls: tool calls altogether.
        cost: in the currency of the prices; None for no ceiling. A turn is paid before it is
            counted, so the one that crosses it and the answer come on top.
        prices: by model; a model without one costs nothing here.
    """

    turns: int
    calls: int
    cost: float | None
    prices: Mapping[str, ModelPrice]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The deployment's."""
        return cls(settings.max_turns, settings.max_calls, settings.max_cost, settings.model_prices)


class Answer:
    """The turns of one answer so far; both flows ask it for the next one until it is finished.

    A turn that follows calls that could not run is their repair: the model was told what was wrong
    with them, and calls again. When that fails too, it answers with what it has.

    Attributes:
        results: of each turn.
        limit: why the last turn is the last one, whatever it says.
        repairs: how many turns were for correcting calls.

    Args:
        ceilings: of the message.
        key: the message's.
        text: the message.
        context: what belongs to it.
        tools: those that fit it, best first.
    """

    def __init__(
        self,
        ceilings: Ceilings,
        key: str,
        text: str,
        context: GatheredContext,
        tools: list[ToolSpec],
    ) -> None:
        self._ceilings = ceilings
        self._key = key
        self._text = text
        self._context = context
        self._tools = tools
        self._past: list[PastTurn] = []
        self.results: list[TurnResult] = []
        self.limit: Limit | None = None
        self.repairs = 0
        self._asked: TurnRequest | None = None

    @property
    def turn(self) -> int:
        """The number of the next turn, from 0."""
        return len(self.results)

    @property
    def finished(self) -> bool:
        """Whether the last turn called no tool, or was the last one."""
        return bool(self.results) and (self.limit is not None or not self.results[-1].tool_calls)

    @property
    def withheld(self) -> Limit | None:
        """Why the last turn was not offered the tools that fit; None when it was."""
        return self.limit if self._tools else None

    def next_turn(self) -> TurnRequest:
        """What the next turn starts from; without tools when it must be the last."""
        self.limit = self._reached()
        final = self.limit is not None
        self._asked = TurnRequest(
            text=self._text,
            context=self._context,
            tools=[] if final else self._tools,
            past=list(self._past),
            call_prefix=f"{self._key}-{self.turn}-",
            max_calls=0 if final else self._ceilings.calls - self._calls,
        )
        return self._asked

    def add(self, result: TurnResult, outcomes: list[CallOutcome]) -> None:
        """Add a turn.

        Args:
            result: what the model said.
            outcomes: of its calls, in their order.
        """
        self.repairs += self._asked is not None and self._asked.repairs
        self.results.append(result)
        self._past.append(PastTurn(text=result.text, calls=result.tool_calls, outcomes=outcomes))

    @property
    def _calls(self) -> int:
        return sum(len(past.calls) for past in self._past)

    def _reached(self) -> Limit | None:
        if len(self._past) > 1 and self._past[-1].wrong and self._past[-2].wrong:
            return "repair"
        if self.turn + 1 >= self._ceilings.turns:
            return "turns"
        if self._calls >= self._ceilings.calls:
            return "calls"
        most = self._ceilings.cost
        return "cost" if most is not None and self._spent() >= most else None

    def _spent(self) -> float:
        costs = (cost(each.usage, each.model, self._ceilings.prices) for each in self.results)
        return sum(each for each in costs if each is not None)
