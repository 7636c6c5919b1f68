"""What the simulated model answers to a request, drawn before its first token is sent."""

import json
import random
import re
from dataclasses import dataclass
from typing import Any

from harness.local.simulated._directives import CallDirective, Directives
from harness.local.simulated._faults import FaultKind
from harness.local.simulated._profile import Profile
from harness.local.simulated._request import ChatRequest
from harness.local.simulated._schema import DocumentWriter, Wish
from harness.local.simulated._words import LABEL, pieces

_RESULT_CHARACTERS = 200
_JSON_PIECE = 8  # characters of JSON in a token
_WORDS = re.compile(r"\s*\S+\s*")


@dataclass(frozen=True)
class PlannedCall:
    """A tool call to send; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Plan:
    """A whole answer: its deltas, one a token, and when each is due.

    Args:
        id: the completion's id.
        deltas: OpenAI's `delta` objects in order.
        due_s: seconds from the request to each delta.
    """

    id: str
    deltas: list[dict[str, Any]]
    due_s: list[float]
    finish_reason: str
    prompt_tokens: int

    @property
    def message(self) -> dict[str, Any]:
        """The deltas put together, as OpenAI's `message` object."""
        calls: list[dict[str, Any]] = []
        for delta in self.deltas:
            for part in delta.get("tool_calls", ()):
                if "id" in part:
                    calls.append({**part, "function": dict(part["function"])})
                    del calls[-1]["index"]
                else:
                    calls[-1]["function"]["arguments"] += part["function"]["arguments"]
        if calls:
            return {"role": "assistant", "content": None, "tool_calls": calls}
        content = "".join(delta["content"] for delta in self.deltas)
        return {"role": "assistant", "content": content}

    @property
    def usage(self) -> dict[str, Any]:
        """OpenAI's usage object."""
        completion = len(self.deltas)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": 0},
        }


def plan_answer(
    request: ChatRequest,
    directives: Directives,
    profile: Profile,
    seed: int,
    fault: FaultKind | None,
) -> Plan:
    """Draw the answer to a request; equal arguments give equal plans."""
    digest = request.digest(seed)
    rng = random.Random(digest)
    malformed = fault is FaultKind.MALFORMED_TOOL_CALL
    calls = _calls(request, directives, rng, malformed=malformed, stem=digest.hex()[:16])
    if calls:
        deltas = _call_deltas(calls)
    else:
        parts = _text(request, directives, profile, rng, malformed=malformed)
        deltas = [{"content": part} for part in parts]
    reason = "tool_calls" if calls else "stop"
    if request.limit is not None and len(deltas) > request.limit:
        deltas, reason = deltas[: request.limit], "length"
    return Plan(
        id=f"chatcmpl-{digest.hex()[:24]}",
        deltas=deltas,
        due_s=_due(profile, len(deltas), rng),
        finish_reason=reason,
        prompt_tokens=request.prompt_tokens,
    )


def _due(profile: Profile, count: int, rng: random.Random) -> list[float]:
    if not count:
        return []
    due = [profile.draw_ttft_s(rng)]
    for gap in profile.draw_gaps_s(count - 1, rng):
        due.append(due[-1] + gap)
    return due


def _calls(
    request: ChatRequest, directives: Directives, rng: random.Random, *, malformed: bool, stem: str
) -> list[PlannedCall]:
    offered = request.offered_tools
    if not offered:
        return []
    wanted = directives.calls(request.turn)
    if not wanted and (request.forced_tool is not None or malformed):
        name = request.forced_tool or rng.choice(sorted(offered))
        wish = Wish(None, {}, _sentence(rng))
        filled = DocumentWriter(offered.get(name, {}), wish, rng).write()
        wanted = [CallDirective(name, json.dumps(filled))]
    return [
        PlannedCall(
            f"call_{stem}_{index}", call.name, _halved(call.arguments) if malformed
            else call.arguments,
        )
        for index, call in enumerate(wanted)
    ]  # fmt: skip


def _text(
    request: ChatRequest,
    directives: Directives,
    profile: Profile,
    rng: random.Random,
    *,
    malformed: bool,
) -> list[str]:
    schema = request.json_schema
    if schema is not None:
        calls = directives.calls(request.turn)
        call = calls[0] if calls else None
        text = directives.say or _sentence(rng)
        wish = Wish(call.name, call.parsed(), text) if call else Wish(None, {}, text)
        document = json.dumps(DocumentWriter(schema, wish, rng).write())
        return _chunks(_halved(document) if malformed else document)
    if directives.say is not None:
        return _WORDS.findall(directives.say)
    answer = list(LABEL)
    for name, result in request.tool_results:
        answer += _WORDS.findall(f"{name} gave {result[:_RESULT_CHARACTERS]}; ")
    return answer + pieces(max(0, profile.draw_tokens(rng) - len(answer)), rng)


def _sentence(rng: random.Random) -> str:
    return "".join([*LABEL, *pieces(8, rng)])


def _call_deltas(calls: list[PlannedCall]) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = []
    for index, call in enumerate(calls):
        head = {"name": call.name, "arguments": ""}
        opening = {"index": index, "id": call.id, "type": "function", "function": head}
        deltas.append({"tool_calls": [opening]})
        for chunk in _chunks(call.arguments):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": chunk}}]})
    return deltas


def _chunks(text: str) -> list[str]:
    return [text[at : at + _JSON_PIECE] for at in range(0, len(text), _JSON_PIECE)]


def _halved(text: str) -> str:
    """JSON cut in the middle; never valid, also when it was very short."""
    return text[: max(1, len(text) // 2)].rstrip("}]") or "{"
