"""One turn of an answer: what the model says next, or which tools it asks for."""

from harness.context.tokens import token_counter
from harness.llm import json_schema, native
from harness.llm.clients import ModelClients
from harness.llm.completion import Completion, Limits, OnText, complete
from harness.llm.fitting import fit
from harness.llm.models import ModelSpec
from harness.llm.prompt import build_messages
from harness.llm.turns import TurnRequest, TurnResult
from harness.models import ToolRequest


async def run_turn(
    clients: ModelClients, spec: ModelSpec, request: TurnRequest, on_text: OnText
) -> TurnResult:
    """Ask the model for its next turn, under the protocol that it speaks and within its window.

    Args:
        clients: connections to the models' servers.
        spec: the model.
        request: what it is to answer, and what it may call.
        on_text: takes each piece of text as it arrives; may raise `Stopped`.

    Raises:
        ModelError: the model did not give a whole turn.
        Stopped: as raised by `on_text`.
    """
    fitted = fit(spec, request, token_counter(spec.model))
    take_turn = _native_turn if spec.protocol == "native" else _json_turn
    result = await take_turn(clients, spec, fitted.request, on_text)
    context = fitted.request.context
    shown = [hit.id for hit in [*context.memories, *context.documents]]
    return result.model_copy(update={"prompt": fitted.record, "shown": shown})


async def _native_turn(
    clients: ModelClients, spec: ModelSpec, request: TurnRequest, on_text: OnText
) -> TurnResult:
    completion = await complete(
        clients.get(spec),
        spec,
        build_messages(spec, request),
        on_text,
        _limits(clients),
        **native.tool_options(request.tools),
    )
    calls = native.parse_calls(completion.calls[: request.max_calls], request.call_prefix)
    return _result(spec, [completion], completion.text, calls)


async def _json_turn(
    clients: ModelClients, spec: ModelSpec, request: TurnRequest, on_text: OnText
) -> TurnResult:
    requests: list[Completion] = []
    tools = json_schema.offered(spec, request.tools)
    # A small model would only repeat its call, unless that was wrong.
    if tools and (spec.style != "small" or not request.past or request.repairs):
        decision = await complete(
            clients.get(spec),
            spec,
            json_schema.decision_messages(spec, request, tools),
            _ignore,
            _limits(clients),
            response_format=json_schema.response_format(tools),
            max_tokens=json_schema.DECISION_TOKENS,
            stop=None,
        )
        requests.append(decision)
        call = json_schema.parse_decision(decision.text, f"{request.call_prefix}0")
        if call is not None:
            return _result(spec, requests, "", [call])
    answer = await complete(
        clients.get(spec), spec, build_messages(spec, request), on_text, _limits(clients)
    )
    requests.append(answer)
    return _result(spec, requests, answer.text, [])


def _result(
    spec: ModelSpec, requests: list[Completion], text: str, calls: list[ToolRequest]
) -> TurnResult:
    last = requests[-1]
    before_ms = sum(request.duration_ms for request in requests[:-1])
    usage = requests[0].usage
    for request in requests[1:]:
        usage += request.usage
    return TurnResult(
        text=text,
        tool_calls=calls,
        usage=usage,
        model=spec.name,
        ttft_ms=None if last.ttft_ms is None else before_ms + last.ttft_ms,
        duration_ms=before_ms + last.duration_ms,
        decided_by=f"{spec.name} ({spec.protocol})",
    )


def _limits(clients: ModelClients) -> Limits:
    settings = clients.settings
    return Limits(first_s=settings.model_timeout_s, stall_s=settings.model_stall_s)


async def _ignore(_: str) -> None:
    """A decision is not text for a reader."""
