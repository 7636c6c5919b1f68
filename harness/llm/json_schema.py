"""Tool calls of models without native ones: a decision that its server constrains to a schema.

The constraint is the `response_format` of OpenAI's chat completions, which llama.cpp's server
compiles to a grammar: the answer can only be one of the offered calls, or none.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from openai.types.chat import ChatCompletionMessageParam

from harness.llm.models import ModelSpec
from harness.llm.native import malformed, parse_call
from harness.llm.prompt import system_text, turn_note
from harness.llm.turns import TurnRequest
from harness.models import ToolRequest
from harness.tools.registry import ToolSpec

NO_TOOL = "none"
DECISION_TOKENS = 256
SYSTEM = (
    "You choose the tool for a request and copy its arguments from the request. Answer with JSON."
)
# What needs no tool, for the examples. They come before those of the tools: a small model repeats
# what it saw last (with a `none` as the last example, 1 of 10 requests got its tool; with the
# tool's own there, 9 of 10).
SMALL_TALK = ("Good morning!", "Thank you very much")
EXAMPLES_PER_TOOL = 4
_WORD = re.compile(r"\w+")
_NAMED = re.compile(r'"tool"\s*:\s*"([^"]*)"')


def offered(spec: ModelSpec, tools: Sequence[ToolSpec]) -> list[ToolSpec]:
    """The tools that a decision is between, besides none.

    A small model chooses worse among several tools than the selection that ranked them (8 of 12
    right with two, 11 with the best alone), so it decides over the best one, and says only what
    the tool cannot do without.
    """
    return [_plainest(tool) for tool in tools[:1]] if spec.style == "small" else list(tools)


def response_format(tools: Sequence[ToolSpec]) -> dict[str, Any]:
    """The schema of a decision: one of the tools with its arguments, or none."""
    calls = [
        _object({"tool": {"const": tool.name}, "arguments": _closed(tool.parameters)})
        for tool in tools
    ]
    schema = {"anyOf": [*calls, _object({"tool": {"const": NO_TOOL}})]}
    return {
        "type": "json_schema",
        "json_schema": {"name": "decision", "schema": schema, "strict": True},
    }


def decision_messages(
    spec: ModelSpec, request: TurnRequest, tools: Sequence[ToolSpec]
) -> list[ChatCompletionMessageParam]:
    """The prompt of a decision; its examples are the offered tools' own."""
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": _system(spec, request, tools)}
    ]
    for asked, decision in _examples(request, tools):
        messages.append({"role": "user", "content": _ask(asked)})
        messages.append({"role": "assistant", "content": json.dumps(decision)})
    messages.append({"role": "user", "content": _ask(request.text) + _results(request)})
    return messages


def parse_decision(text: str, call_id: str) -> ToolRequest | None:
    """The call that a decision asks for, None for no tool.

    An answer that is no decision (a server may ignore the schema) means no tool: the model then
    answers in plain text. One that was meant to be a call and is not JSON is that call's error.
    """
    try:
        decision = json.loads(text)
    except json.JSONDecodeError as error:
        named = _NAMED.search(text)
        if named is None or named[1] == NO_TOOL:
            return None
        return malformed(call_id, named[1], text, error)
    if not isinstance(decision, dict):
        return None
    name = decision.get("tool")
    if not isinstance(name, str) or name == NO_TOOL:
        return None
    return parse_call(call_id, name, json.dumps(decision.get("arguments", {})))


def _system(spec: ModelSpec, request: TurnRequest, tools: Sequence[ToolSpec]) -> str:
    if spec.style == "small":  # which a list of tools and a context only lead astray
        return SYSTEM
    lines = [f"- {tool.name}: {tool.description}" for tool in tools]
    lines.append(f"- {NO_TOOL}: the request needs no tool, or what it needs is known by now")
    return "\n\n".join([SYSTEM, "Tools:\n" + "\n".join(lines), system_text(request.context)])


def _examples(request: TurnRequest, tools: Sequence[ToolSpec]) -> list[tuple[str, dict[str, Any]]]:
    shots: list[tuple[str, dict[str, Any]]] = [(text, {"tool": NO_TOOL}) for text in SMALL_TALK]
    for tool in reversed(tools):  # the best one last
        nearest = sorted(tool.examples, key=lambda example: _shared(example.request, request.text))
        for example in nearest[-EXAMPLES_PER_TOOL:]:
            shots.append((example.request, {"tool": tool.name, "arguments": example.arguments}))
    return shots


def _shared(one: str, other: str) -> float:
    """How much of their words two requests share, 0–1 (Jaccard)."""
    words, others = (set(_WORD.findall(text.lower())) for text in (one, other))
    return len(words & others) / len(words | others) if words and others else 0.0


def _results(request: TurnRequest) -> str:
    told = [
        f"{outcome.name}({json.dumps(call.arguments)}) gave: {outcome.content}"
        for turn in request.past
        for call, outcome in zip(turn.calls, turn.outcomes, strict=True)
    ]
    note = turn_note(request)
    return "\n" + "\n".join(["Known by now:", *told, *filter(None, [note])]) if told else ""


def _ask(text: str) -> str:
    return f"Request: {text}"


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _plainest(tool: ToolSpec) -> ToolSpec:
    required = tool.parameters.get("required", [])
    known = tool.parameters.get("properties", {})
    parameters = {
        **tool.parameters,
        "properties": {name: known[name] for name in required if name in known},
    }
    plain = [each for each in tool.examples if set(each.arguments) <= set(required)]
    return tool.model_copy(update={"parameters": parameters, "examples": plain})


def _closed(parameters: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", **parameters, "additionalProperties": False}
