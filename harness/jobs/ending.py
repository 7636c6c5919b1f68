"""How a run ends: the answer kept, the thread passed on, the exchange remembered."""

import time
from functools import partial

from harness.context.gather import GatheredContext
from harness.jobs.indexing import index_memory
from harness.jobs.policies import INDEX, PERSIST
from harness.jobs.record import record_end, record_failure
from harness.jobs.run import Run
from harness.llm.answer import Answer
from harness.llm.shown import context_record, shown_memories
from harness.llm.usage import cost
from harness.models import Failure, ToolCallStatus, Usage
from harness.store.results import Ended
from harness.telemetry.analytics import Props
from harness.telemetry.endings import COMPLETED
from harness.telemetry.metrics import MODEL_TOKENS
from harness.tools.offer import Offer


async def persist_response(
    run: Run, context: GatheredContext, offer: Offer, answer: Answer
) -> None:
    """Keep the answer, free the thread, index the exchange and learn from it, in this order.

    Args:
        run: the run.
        context: what the answer was shown.
        offer: the tools that its model was offered.
        answer: its turns; their texts joined are the answer.
    """
    persisting = partial(_persist, run, context, offer, answer)
    ended = await run.steps.run("persist-response", persisting, PERSIST, Ended)
    await run.free_thread(ended.next)
    if ended.status == "completed":
        # Later messages find the exchange in the thread's history all the same.
        await index_memory(run)
        if any(result.tool_calls for result in answer.results):
            await run.steps.attempt("learn-tools", partial(_learn, run), INDEX)


async def persist_failure(run: Run, failure: Failure) -> None:
    """Keep why the message failed and free the thread."""
    failing = partial(_fail, run, failure)
    outcome = await run.steps.attempt("persist-failure", failing, PERSIST)
    if outcome.failure is None:  # a thread that is gone takes no failure
        await run.free_thread(Ended.model_validate(outcome.value).next)


async def _fail(run: Run, failure: Failure) -> Ended:
    ended = await run.services.store.fail(run.key, failure, run.sent, run.ctx.run_id)
    if ended.applied:
        await record_failure(run, failure)
    return ended


async def _persist(run: Run, context: GatheredContext, offer: Offer, answer: Answer) -> Ended:
    results = answer.results
    usage = sum((result.usage for result in results), Usage())
    latency_ms = float(time.time_ns() // 1_000_000 - run.sent.sent_at)
    ended = await run.services.store.complete(
        key=run.key,
        content="".join(result.text for result in results),
        model=results[-1].model,
        usage=usage,
        latency_ms=latency_ms,
        shown=shown_memories(context, results),
        context=context_record(results),
        selection=offer.selection,
    )
    if ended.applied:
        await _account(run, offer, answer, usage, latency_ms)
    return ended


async def _account(run: Run, offer: Offer, answer: Answer, usage: Usage, latency_ms: float) -> None:
    results = answer.results
    model = results[-1].model
    for kind in ("prompt", "completion", "cached"):
        MODEL_TOKENS.labels(model, kind).inc(getattr(usage, f"{kind}_tokens"))
    props: Props = {
        "model": model,
        "latency_ms": latency_ms,
        "turns": len(results),
        "tools_offered": ",".join(spec.name for spec in offer.tools),
        "tool_calls": sum(len(result.tool_calls) for result in results),
        "repairs": answer.repairs,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "model_ms": sum(result.duration_ms for result in results),
    }
    if answer.withheld is not None:
        props["tools_withheld"] = answer.withheld
    if results[0].ttft_ms is not None:
        props["ttft_ms"] = results[0].ttft_ms
    first_text_at = next((at for result in results if (at := result.first_text_at)), None)
    if first_text_at is not None:
        props["first_text_at"] = first_text_at
    price = cost(usage, model, run.services.settings.model_prices)
    if price is not None:
        props["cost"] = price
    await record_end(run, COMPLETED, props)


async def _learn(run: Run) -> None:
    """Let the tools whose calls succeeded be what such a request is offered later."""
    calls = await run.services.store.message_calls(run.key)
    served = [call.name for call in calls if call.status is ToolCallStatus.SUCCEEDED]
    await run.services.exemplars.learn(run.sent, list(dict.fromkeys(served)))
