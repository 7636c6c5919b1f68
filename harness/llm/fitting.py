"""A turn's prompt within its model's window, whatever it is made of.

What counts is the prompt as it is really built: it is built, counted, and built again with less
until it fits. Only then does it go out.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from openai.types.chat import ChatCompletionMessageParam

from harness.context.assembly import GatheredContext, assemble
from harness.context.budget import Budget, cut
from harness.context.tokens import ANSWER_TOKENS, MESSAGE_TOKENS, TokenCounter
from harness.llm import json_schema, native
from harness.llm._past_turns import newest_within, past_tokens
from harness.llm.errors import PromptTooLong
from harness.llm.models import ModelSpec
from harness.llm.prompt import build_messages
from harness.llm.turns import TurnRequest
from harness.models import ContextRecord
from harness.tools.registry import ToolSpec

# When the window is too small for everything. What one section leaves goes to those after it, and
# what they leave to further tools.
TOOLS_SHARE = 0.3  # the best fitting ones come first, and one or two usually serve
RESULTS_SHARE = 0.6  # of what the tools leave: the model asked for them in order to answer
MESSAGE_CUT = "\n[the message was too long: its end is missing]"
CONTEXT_SECTIONS = ("preferences", "summary", "history", "documents", "memories")


@dataclass(frozen=True)
class Fitted:
    """A turn that fits its model's window, and how it fills it."""

    request: TurnRequest
    record: ContextRecord


@dataclass(frozen=True)
class Prompt:
    """One request of a turn: its messages and options, and room for its answer in tokens."""

    messages: Sequence[ChatCompletionMessageParam]
    options: dict[str, Any]
    answer_tokens: int

    def tokens(self, counter: TokenCounter) -> int:
        """What the messages and options take, templates included."""
        total = ANSWER_TOKENS
        for message in self.messages:
            beside = {k: v for k, v in message.items() if k not in ("role", "content")}
            total += MESSAGE_TOKENS + counter.count(str(message.get("content") or ""))
            total += counter.count(json.dumps(beside)) if beside else 0
        return total + (counter.count(json.dumps(self.options)) if self.options else 0)


def fit(spec: ModelSpec, request: TurnRequest, counter: TokenCounter) -> Fitted:
    """Leave out of a turn what its model's window has no room for.

    Context, tools and results of tools give way first, each down to its share; the least fitting
    tools and the oldest results go first. The user's message is cut only when it does not fit
    alone, and then says so.

    Args:
        spec: the model.
        request: the turn.
        counter: counts tokens as the model does.

    Raises:
        PromptTooLong: the window has no room for a word of the message.
    """
    left_out = {"message": 0, "results": 0, "tools": 0}
    if needed(spec, request, counter) <= spec.context_tokens:
        return Fitted(request, _record(spec, request, counter, left_out))
    text = _cut_message(spec, request.text, counter)
    left_out["message"] = counter.count(request.text) - counter.count(text)
    total = spec.context_tokens - needed(spec, _bare(text), counter)
    while True:
        fitted, less = _within(spec, max(0, total), replace(request, text=text), counter)
        over = needed(spec, fitted, counter) - spec.context_tokens
        if over <= 0:
            return Fitted(fitted, _record(spec, fitted, counter, left_out | less))
        total -= over


def needed(spec: ModelSpec, request: TurnRequest, counter: TokenCounter) -> int:
    """The tokens of its model's window that a turn takes at most: a prompt and its answer."""
    prompts = turn_prompts(spec, request)
    return max(prompt.tokens(counter) + prompt.answer_tokens for prompt in prompts)


def turn_prompts(spec: ModelSpec, request: TurnRequest) -> Iterator[Prompt]:
    """The requests that a turn may send, under the protocol that its model speaks."""
    options = native.tool_options(request.tools) if spec.protocol == "native" else {}
    yield Prompt(build_messages(spec, request), options, spec.max_output_tokens)
    tools = json_schema.offered(spec, request.tools) if spec.protocol == "json" else []
    if tools:
        yield Prompt(
            json_schema.decision_messages(spec, request, tools),
            {"response_format": json_schema.response_format(tools)},
            max(json_schema.DECISION_TOKENS, spec.max_output_tokens),
        )


def _within(
    spec: ModelSpec, total: int, request: TurnRequest, counter: TokenCounter
) -> tuple[TurnRequest, dict[str, int]]:
    """The turn with so many tokens for all but its message, and what was left out of it."""
    budget = Budget(total)
    costs = [_tool_tokens(spec, request, tool, counter) for tool in request.tools]
    kept = budget.take("tools", costs, TOOLS_SHARE)

    wanted = sum(assemble(budget.left, request.context, counter).tokens.values())
    room = max(int(budget.left * RESULTS_SHARE), budget.left - wanted)
    past, shortened = newest_within(request.past, room, counter)
    budget.take("results", [past_tokens(past, counter)])

    context = assemble(budget.left, request.context, counter)
    budget.take("context", [sum(context.tokens.values())])
    rest = [i for i in range(len(costs)) if i not in kept]
    kept += [rest[i] for i in budget.take("tools", [costs[i] for i in rest])]
    tools = [request.tools[i] for i in sorted(kept)]
    less = {"results": shortened, "tools": len(request.tools) - len(tools)}
    return replace(request, context=context, past=past, tools=tools), less


def _tool_tokens(
    spec: ModelSpec, request: TurnRequest, tool: ToolSpec, counter: TokenCounter
) -> int:
    bare = _bare(request.text)
    with_tool = replace(bare, tools=[tool])
    prompts = list(turn_prompts(spec, with_tool))
    before = next(turn_prompts(spec, bare)).tokens(counter)
    return max(0, prompts[-1].tokens(counter) - before)


def _cut_message(spec: ModelSpec, text: str, counter: TokenCounter) -> str:
    over = needed(spec, _bare(text), counter) - spec.context_tokens
    limit = counter.count(text)
    short = text
    while over > 0:
        limit -= over
        short = cut(text, limit, counter, MESSAGE_CUT)
        if not short:
            raise PromptTooLong(
                f"the window of model {spec.name!r}, {spec.context_tokens} tokens, has no room "
                "for the message; raise HARNESS_MODEL_CONTEXT_TOKENS"
            )
        over = needed(spec, _bare(short), counter) - spec.context_tokens
    return short


def _bare(text: str) -> TurnRequest:
    return TurnRequest(text=text, context=GatheredContext())


def _record(
    spec: ModelSpec, request: TurnRequest, counter: TokenCounter, left_out: dict[str, int]
) -> ContextRecord:
    """What each section adds to the longest prompt, so that together they are its tokens."""
    growing = replace(_bare(""), max_calls=request.max_calls)
    stages = [("system", growing), ("message", growing := replace(growing, text=request.text))]
    for name in ("past", "tools"):
        growing = replace(growing, **{name: getattr(request, name)})
        stages.append(("results" if name == "past" else name, growing))
    for name in CONTEXT_SECTIONS:
        if part := getattr(request.context, name):
            context = growing.context.model_copy(update={name: part})
            stages.append((name, growing := replace(growing, context=context)))
    tokens = {}
    before = 0
    for name, stage in stages:
        now = max(prompt.tokens(counter) for prompt in turn_prompts(spec, stage))
        tokens[name] = now - before
        before = now
    return ContextRecord(
        tokens=tokens,
        left_out={**left_out, **request.context.left_out},
        budget=spec.context_tokens - spec.max_output_tokens,
    )
