"""What a scorer looks at, and what every scorer is."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.models import ToolCall


@dataclass(frozen=True)
class Outcome:
    """One answered message.

    Attributes:
        question: what was asked.
        answer: its final text.
        calls: its tool calls, in order.
        workspace: the folder that its file tools saw; None where it is out of reach.
    """

    question: str
    answer: str
    calls: Sequence[ToolCall] = ()
    workspace: Path | None = None


class Scorer(BaseModel):
    """A frozen rule with its parameters; a parameter it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @abstractmethod
    def score(self, outcome: Outcome) -> float:
        """How well the message was answered, 0 to 1."""
