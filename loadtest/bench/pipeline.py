"""How much the pipeline costs beside the model: acknowledgement, overhead, messages a second."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from evals.figures import Figure, figure
from evals.recorded import completed_props
from harness.client import ChatClient
from harness.local.process import group_cpu_s
from harness.local.supervisor import Stack
from harness.models import Status
from harness.settings import Settings
from harness.store import ImportedMessage, Store, Subscriber
from loadtest.bench.names import short
from loadtest.histogram import percentiles

NO_DELAY = "simulated?ttft_ms=0&itl_ms=0&tokens=20"
WARM_UP = 5
IMPORT_BATCH = 500
IDLE_S = 5.0
MESSAGE_TIMEOUT_S = 60.0
Say = Callable[[str], None]


@dataclass
class _Sequential:
    """Latencies of messages that are sent one after another; milliseconds."""

    ack: list[float] = field(default_factory=list)
    overhead: list[float] = field(default_factory=list)
    first_delta: list[float] = field(default_factory=list)


async def bench_pipeline(
    stack: Stack, *, messages: int, burst: int, stored: list[int], say: Say
) -> dict[str, Figure]:
    """Measure a private stack with the simulated model at zero delay.

    Args:
        stack: runs every part.
        messages: how many are sent one after another.
        burst: how many are sent at once, to see the rate at saturation.
        stored: numbers of messages in Convex at which the burst is measured, ascending.
        say: takes a line of progress.

    Returns:
        The figures by name; `messages_per_s_1k` is the rate at 1,000 stored messages.
    """
    settings = stack.settings
    say(f"one after another: {messages} messages")
    sequential = await _one_after_another(settings, messages)
    ack_p50, ack_p99 = percentiles(sequential.ack, 50, 99)
    overhead_p50, overhead_p95 = percentiles(sequential.overhead, 50, 95)
    delta_p50, delta_p95 = percentiles(sequential.first_delta, 50, 95)
    figures = {
        "ack_p50_ms": figure(ack_p50, "ms", messages),
        "ack_p99_ms": figure(ack_p99, "ms", messages),
        "overhead_p50_ms": figure(overhead_p50, "ms", messages),
        "overhead_p95_ms": figure(overhead_p95, "ms", messages),
        "first_delta_p50_ms": figure(delta_p50, "ms", messages),
        "first_delta_p95_ms": figure(delta_p95, "ms", messages),
    }
    say(f"idle: {IDLE_S:.0f} s")
    figures["idle_cpu_pct"] = figure(await _idle_cpu_pct(stack), "% of a core")
    present = messages * 2
    for size in stored:
        say(f"filling Convex up to {size:,} messages")
        present += await _fill(settings, size - present)
        say(f"at once: {burst} messages")
        rate = await _burst(settings, burst)
        present += burst * 2
        figures[f"messages_per_s_{short(size)}"] = figure(rate, "messages/s", burst)
    return figures


def _store(settings: Settings) -> Store:
    key = settings.convex_deploy_key
    return Store(settings.convex_url, key.get_secret_value() if key else None)


async def _one_after_another(settings: Settings, messages: int) -> _Sequential:
    user_id = f"user_bench_{uuid.uuid4().hex[:12]}"
    found = _Sequential()
    async with ChatClient(settings, user_id) as client:
        thread_id = await client.create_thread("bench")
        for number in range(WARM_UP + messages):
            await _one(client, settings, thread_id, found if number >= WARM_UP else _Sequential())
    return found


async def _one(client: ChatClient, settings: Settings, thread_id: str, found: _Sequential) -> None:
    started, visible_at = time.perf_counter(), None
    ack = await client.send(thread_id, "Tell me about the tides.", model=NO_DELAY)
    found.ack.append((time.perf_counter() - started) * 1000)
    async with asyncio.timeout(MESSAGE_TIMEOUT_S):
        async for state in client.follow(ack.message_key):
            if visible_at is None and state.text:
                visible_at = time.time() * 1000
            if state.status.finished:
                break
    total_ms = (time.perf_counter() - started) * 1000
    if state.status is not Status.COMPLETED:
        raise RuntimeError(f"a message ended {state.status}: {state.error}")
    props = await completed_props(settings, ack.message_key)
    found.overhead.append(total_ms - float(props["model_ms"]))
    if visible_at is not None:
        found.first_delta.append(visible_at - float(props["first_text_at"]))


async def _burst(settings: Settings, burst: int) -> float:
    """Messages a second from the first one sent to the last one completed, a thread each."""
    user_id = f"user_burst_{uuid.uuid4().hex[:12]}"
    key = settings.convex_deploy_key
    async with (
        ChatClient(settings, user_id) as client,
        _store(settings) as store,
        Subscriber(settings.convex_url, admin_key=key.get_secret_value() if key else "") as reader,
    ):
        threads = [await store.create_thread(user_id, "burst") for _ in range(burst)]
        started = time.perf_counter()
        acks = await asyncio.gather(
            *(client.send(thread, "Tell me about the tides.", model=NO_DELAY) for thread in threads)
        )
        await asyncio.gather(*(_completed(reader, ack.message_key) for ack in acks))
        return burst / (time.perf_counter() - started)


async def _completed(reader: Subscriber, key: str) -> None:
    """Wait for a message's end without reading its stream, which would load what is measured."""
    async for exchange in reader.watch("messages:read", {"messageKey": key}):
        answer = exchange and exchange["assistant"]
        if answer and Status(answer["status"]).finished:
            if answer["status"] != Status.COMPLETED:
                raise RuntimeError(f"a message of the burst ended {answer['status']}")
            return


async def _fill(settings: Settings, count: int) -> int:
    """Import messages until so many more are stored; answers how many."""
    if count <= 0:
        return 0
    user_id = f"user_fill_{uuid.uuid4().hex[:12]}"
    now = time.time_ns() // 1_000_000
    async with _store(settings) as store:
        for first in range(0, count, IMPORT_BATCH):
            thread_id = await store.create_thread(user_id, f"stored {first}")
            batch = [
                ImportedMessage(
                    role="user" if n % 2 == 0 else "assistant",
                    content=f"Stored message {first + n} about nothing in particular.",
                    sent_at=now - count + n,
                )
                for n in range(min(IMPORT_BATCH, count - first))
            ]
            await store.import_messages(thread_id, batch)
    return count


async def _idle_cpu_pct(stack: Stack) -> float:
    """Processor time of all parts while nothing happens, in percent of one core."""
    before = group_cpu_s(set(stack.pids.values()))
    await asyncio.sleep(IDLE_S)
    return (group_cpu_s(set(stack.pids.values())) - before) / IDLE_S * 100
