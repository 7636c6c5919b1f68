"""Waiting for the user's answer to a tool call's question."""

import time
from datetime import timedelta
from functools import partial
from typing import Literal

from harness.events import MessageReplied
from harness.jobs.policies import PERSIST
from harness.jobs.run import Run
from harness.jobs.steps import RunStopped
from harness.jobs.waits import wait_for
from harness.models import Reply, ToolCallStatus
from harness.store.results import Awaited


async def ask(
    run: Run, step: str, call_id: str, kind: Literal["approval", "question"], prompt: str
) -> Reply | None:
    """Ask the user and wait; an answer that came before the question counts.

    Args:
        run: the run.
        step: the call's step, which prefixes the names of these.
        call_id: the call.
        kind: whether it needs a yes or no, or words.
        prompt: what the user reads.

    Returns:
        None when the user did not answer in time.

    Raises:
        RunStopped: the message was cancelled.
    """
    wait_s = run.services.settings.reply_wait_s
    asking = partial(_ask, run, call_id, kind, prompt, wait_s)
    asked = await run.steps.run(f"{step}-ask", asking, PERSIST, Awaited)
    if asked.stop is None and asked.reply is None:
        await _wait(run, step, call_id, timedelta(seconds=wait_s))
        resuming = partial(run.services.store.resume, call_id)
        asked = await run.steps.run(f"{step}-resume", resuming, PERSIST, Awaited)
    if asked.stop is not None:
        raise RunStopped
    return asked.reply


async def _ask(
    run: Run, call_id: str, kind: Literal["approval", "question"], prompt: str, wait_s: int
) -> Awaited:
    expires_at = time.time_ns() // 1_000_000 + wait_s * 1000
    return await run.services.store.await_user(call_id, kind, prompt, expires_at)


async def _wait(run: Run, step: str, call_id: str, timeout: timedelta) -> None:
    async def settled() -> bool:
        call = await run.services.store.get_call(call_id)
        return call is None or call.reply is not None or call.status != ToolCallStatus.WAITING

    await wait_for(
        run.steps,
        run.services.inngest,
        f"{step}-reply",
        MessageReplied(message_key=run.key, call_id=call_id),
        ("message_key", "call_id"),
        timeout,
        settled,
    )
