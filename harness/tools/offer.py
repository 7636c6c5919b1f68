"""What a message's model is offered."""

from typing import Any

from pydantic import BaseModel, model_validator

from harness.models import Selection
from harness.tools.registry import ToolSpec


class Offer(BaseModel):
    """Tools, best first, with the permissions they have for the user; and how they were chosen."""

    tools: list[ToolSpec] = []
    selection: Selection | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_tools_alone(cls, value: Any) -> Any:
        # What a run remembers that was under way before the selection was kept with the tools.
        return {"tools": value} if isinstance(value, list) else value
