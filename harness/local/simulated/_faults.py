"""Faults that the simulated server commits when told to."""

import json
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import HarnessError


class FaultKind(StrEnum):
    """What goes wrong."""

    RATE_LIMIT = "rate_limit"  # 429 with Retry-After
    SERVER_ERROR = "server_error"  # 500
    CUT = "cut"  # the stream ends in the middle, without its end mark
    MALFORMED_TOOL_CALL = "malformed_tool_call"  # a call whose arguments are no JSON
    STALL = "stall"  # silence in the middle of the stream


_BY_STATUS = {"429": FaultKind.RATE_LIMIT, "500": FaultKind.SERVER_ERROR}


class Fault(BaseModel):
    """One fault to commit.

    Args:
        kind: what goes wrong; "429" and "500" are accepted too.
        times: how many answers it spoils; None spoils all.
        after_tokens: tokens sent before a cut or a stall.
        retry_after_s: what a 429 tells its client, seconds.
        stall_ms: how long a stall lasts, milliseconds.
        match: spoil only requests whose last user message contains this.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: FaultKind
    times: int | None = Field(1, ge=1)
    after_tokens: int = Field(5, ge=0)
    retry_after_s: float = Field(1.0, ge=0)
    stall_ms: float = Field(600_000.0, ge=0)
    match: str = ""

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> "Fault":
        """Read a fault from a directive, a model name or an admin request.

        Raises:
            HarnessError: the kind is unknown or a parameter is bad.
        """
        kind = str(values.get("kind", ""))
        try:
            return cls.model_validate({**values, "kind": _BY_STATUS.get(kind, kind)})
        except ValueError as error:
            kinds = ", ".join(FaultKind)
            raise HarnessError(
                f"bad simulated fault {json.dumps(dict(values), default=str)}",
                f"kind is one of {kinds}; parameters are {', '.join(cls.model_fields)}",
            ) from error


class FaultBoard:
    """Counts down the faults that are due."""

    def __init__(self) -> None:
        self._queued: list[tuple[Fault, int | None]] = []
        self._spent: Counter[tuple[str, str]] = Counter()

    def add(self, fault: Fault) -> None:
        """Queue a fault for coming requests."""
        self._queued.append((fault, fault.times))

    def clear(self) -> None:
        """Drop what is queued and forget what was spent."""
        self._queued.clear()
        self._spent.clear()

    def queued(self) -> list[dict[str, object]]:
        """The queued faults with the number of times each is still due."""
        return [{**fault.model_dump(mode="json"), "times": times} for fault, times in self._queued]

    def take(self, asked: str, own: list[Fault], *, offers_tools: bool) -> Fault | None:
        """The fault that spoils this request, if one is due.

        Args:
            asked: the request's last user message; its own faults are counted by it.
            own: faults that the message or the model's name asks for.
            offers_tools: without tools or a schema no call can be malformed.
        """

        def fits(fault: Fault) -> bool:
            return offers_tools or fault.kind is not FaultKind.MALFORMED_TOOL_CALL

        for index, (fault, times) in enumerate(self._queued):
            if fault.match in asked and fits(fault):
                if times == 1:
                    del self._queued[index]
                elif times is not None:
                    self._queued[index] = (fault, times - 1)
                return fault
        for fault in own:
            key = (asked, fault.model_dump_json())
            if fits(fault) and (fault.times is None or self._spent[key] < fault.times):
                self._spent[key] += 1
                return fault
        return None
