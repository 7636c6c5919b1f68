"""The old flow: the answer streams inside the request and is kept only at its end.

Close the request and the answer is gone. It shares context, tools, prompt and model code with the
new flow; deleting this file (and the flag) removes it, and nothing else changes.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from harness.chat.errors import ApiError, ErrorCode
from harness.context.gather import GatheredContext
from harness.context.indexing import catch_up
from harness.events import MessageSent
from harness.llm.answer import Answer, Ceilings
from harness.llm.errors import ModelError
from harness.llm.models import fallbacks, resolve_model
from harness.llm.shown import context_record, shown_memories
from harness.llm.turn import run_turn
from harness.llm.turns import CallOutcome, TurnRequest, TurnResult
from harness.models import Ack, Failure, ToolRequest, Usage
from harness.services import Services, build_services
from harness.settings import Settings
from harness.store import Exchange
from harness.telemetry.logs import get_logger
from harness.tools.execution import call_problem, run_tool
from harness.tools.offer import Offer
from harness.tools.registry import ToolSpec

_ALL_ORDERS = 2**53  # the message has no order until it is kept
_RUN_ID = "inline"
_INDEX_WITHIN_S = 10.0
_log = get_logger("harness.inline")

Emit = Callable[[str, dict[str, Any]], Awaitable[None]]


class InlineFlow:
    """Answers messages inside their requests.

    Args:
        settings: of the deployment; what answering needs is built at the first message.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._services: Services | None = None
        self._lock = asyncio.Lock()

    async def aclose(self) -> None:
        """Close what the first message built."""
        if self._services is not None:
            await self._services.close()

    async def answer(self, ack: Ack, sent: MessageSent) -> AsyncIterator[bytes]:
        """Stream a message's answer as server-sent events.

        Args:
            ack: the first event.
            sent: the message.

        Raises:
            ApiError: `thread_busy` when another message of the thread is being answered.
        """
        async with self._lock:
            if self._services is None:
                self._services = await build_services(self._settings)
        services = self._services
        kept = await services.store.read_message(sent.message_key)
        if kept is not None:
            return _again(ack, kept)
        if await services.store.unfinished(sent.thread_id):
            raise ApiError(
                ErrorCode.THREAD_BUSY,
                f"thread {sent.thread_id} is being answered",
                "wait for the answer, then send it again",
            )
        return _stream(services, ack, sent)


async def _again(ack: Ack, kept: Exchange) -> AsyncIterator[bytes]:
    yield _event("ack", ack.model_dump())
    answer = kept.assistant
    if answer is not None and answer.error is not None:
        yield _event("failed", answer.error.model_dump())
    elif answer is not None:
        yield _event("done", {"content": answer.content})


async def _stream(services: Services, ack: Ack, sent: MessageSent) -> AsyncIterator[bytes]:
    yield _event("ack", ack.model_dump())
    events: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def emit(name: str, data: dict[str, Any]) -> None:
        events.put_nowait(_event(name, data))

    async def work() -> None:
        try:
            await _answer(services, sent, emit)
        finally:
            events.put_nowait(None)

    task = asyncio.create_task(work(), name=f"inline-{sent.message_key}")
    try:
        while (event := await events.get()) is not None:
            yield event
        await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _answer(services: Services, sent: MessageSent, emit: Emit) -> None:
    try:
        context = await services.gatherer.gather(
            sent.user_id, sent.thread_id, _ALL_ORDERS, sent.text, model=sent.model
        )
        offer = await services.offer_tools(sent, context.history)
        results = await _turns(services, sent, context, offer, emit)
        await _keep(services, sent, context, offer, results, emit)
    except ModelError as error:
        failure = Failure(code=error.code, message=str(error))
        await services.store.fail(sent.message_key, failure, sent, _RUN_ID)
        await emit("failed", failure.model_dump())
    except Exception:
        _log.exception("an inline answer failed", message_key=sent.message_key)
        failure = Failure(code="internal", message="the answer could not be finished or kept")
        await emit("failed", failure.model_dump())


async def _turns(
    services: Services, sent: MessageSent, context: GatheredContext, offer: Offer, emit: Emit
) -> list[TurnResult]:
    # Nobody can be asked and nothing can be waited for inside a request.
    tools = [tool for tool in offer.tools if tool.permission == "auto" and tool.control is None]
    ceilings = Ceilings.of(services.settings)
    answer = Answer(ceilings, sent.message_key, sent.text, context, tools)
    while not answer.finished:
        request = answer.next_turn()
        offered = {tool.name: tool for tool in request.tools}
        result = await _turn(services, sent, request, emit)
        outcomes = [await _call(services, sent, call, offered) for call in result.tool_calls]
        answer.add(result, outcomes)
    return answer.results


async def _turn(
    services: Services, sent: MessageSent, request: TurnRequest, emit: Emit
) -> TurnResult:
    async def on_text(text: str) -> None:
        await emit("delta", {"text": text})

    spec = resolve_model(sent.model, services.settings)
    spares = fallbacks(spec, services.settings)
    for spare in spares:
        try:
            return await run_turn(services.models, spec, request, on_text)
        except ModelError as error:
            _log.warning("model failed, trying the next", model=spec.name, error=str(error))
            await emit("restart", {})
            spec = spare
    return await run_turn(services.models, spec, request, on_text)


async def _call(
    services: Services, sent: MessageSent, call: ToolRequest, offered: Mapping[str, ToolSpec]
) -> CallOutcome:
    problem = call_problem(services.registry, offered, call)
    if problem is not None:
        return _failed(call, problem, wrong=True)
    rules = await services.permission_rules(sent)
    spec = services.registry.get(call.name) or offered[call.name]
    if rules.permission(spec) != "auto":
        return _failed(call, "it may not run by itself by now")
    context = services.tool_context(sent, call.call_id)
    result = await run_tool(services.registry, call.name, call.arguments, context)
    if not result.ok:
        return _failed(call, str(result.error))
    content = json.dumps(result.value)
    return CallOutcome(call_id=call.call_id, name=call.name, ok=True, content=content)


def _failed(call: ToolRequest, reason: str, *, wrong: bool = False) -> CallOutcome:
    content = f"error: {reason}"
    return CallOutcome(call_id=call.call_id, name=call.name, ok=False, content=content, wrong=wrong)


async def _keep(
    services: Services,
    sent: MessageSent,
    context: GatheredContext,
    offer: Offer,
    results: list[TurnResult],
    emit: Emit,
) -> None:
    store = services.store
    begun = await store.begin(sent, _RUN_ID)
    if begun.state == "wait":
        failure = Failure(
            code="thread_busy", message="another message of the thread came in between"
        )
        await store.fail(sent.message_key, failure)
        await emit("failed", failure.model_dump())
        return
    content = "\n\n".join(result.text for result in results if result.text)
    ended = await store.complete(
        sent.message_key,
        content,
        results[-1].model,
        sum((result.usage for result in results), Usage()),
        float(time.time_ns() // 1_000_000 - sent.sent_at),
        shown_memories(context, results),
        context_record(results),
        offer.selection,
    )
    await emit("done", {"content": content, "status": ended.status.value})
    if ended.applied:
        await _remember(services, sent)


async def _remember(services: Services, sent: MessageSent) -> None:
    try:
        await catch_up(
            services.store, services.memory, sent.user_id, sent.thread_id, _INDEX_WITHIN_S
        )
    except Exception as error:  # the answer is kept; memory is the lesser loss
        _log.warning("exchange not indexed", message_key=sent.message_key, error=str(error))


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
