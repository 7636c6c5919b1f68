"""Runs that wait: a thousand that wake in one second, ten thousand among passing events."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable

from evals.figures import Figure, figure
from loadtest.bench.engine.app import ANSWER, SLEEP, WAIT
from loadtest.bench.engine.runners import Engine
from loadtest.histogram import percentiles

AWAKE_RUNS_PER_S = 100  # a slow engine puts so many runs to sleep in a second
SETTLE_S = 1.0
WAKING_MS = 1000
TICKS_PER_S = 50
MATCHING = 10  # every tenth event is one that a run waits for
Say = Callable[[str], None]


async def wake(engine: Engine, count: int, say: Say) -> dict[str, Figure]:
    """How late runs wake that sleep until moments of one second.

    Args:
        count: how many.
        say: takes a line of progress.
    """
    say(f"{count:,} runs sleep")
    chooser = random.Random(0)
    first_s = SETTLE_S + count / AWAKE_RUNS_PER_S
    base = time.time_ns() // 1_000_000 + int(first_s * 1000)
    due = {uuid.uuid4().hex: base + chooser.randrange(WAKING_MS) for _ in range(count)}
    woken = {key: engine.reports.expect(key) for key in due}
    await engine.send_all(
        [{"name": SLEEP, "data": {"key": key, "until_ms": at}} for key, at in due.items()]
    )
    late = [(await woken[key])[0] / 1e6 - at for key, at in due.items()]
    p50, p99 = percentiles((max(each, 0.0) for each in late), 50, 99)
    return {
        "wake_late_p50_ms": figure(p50, "ms", count),
        "wake_late_p99_ms": figure(p99, "ms", count),
        "woken_early": figure(sum(each < 0 for each in late), "runs", count),
    }


async def put_to_wait(engine: Engine, count: int, say: Say) -> list[str]:
    """Start runs that each wait for an event of their own; answers their keys."""
    say(f"{count:,} runs begin to wait")
    keys = [uuid.uuid4().hex for _ in range(count)]
    asked = [engine.reports.expect(f"{key}:asked") for key in keys]
    await engine.send_all([{"name": WAIT, "data": {"key": key}} for key in keys])
    for each in asked:
        await each
    await asyncio.sleep(SETTLE_S)  # the last ones' waits are on their way to the disk
    return keys


async def pass_events(
    engine: Engine, keys: list[str], rate: int, seconds: int, say: Say
) -> dict[str, Figure]:
    """Send events past waiting runs, every tenth one matched, and see how soon its run goes on.

    Args:
        keys: of the waiting runs.
        rate: events a second, in fifty requests.
        seconds: for how long.
        say: takes a line of progress.
    """
    say(f"{rate:,} events a second for {seconds} s past {len(keys):,} waiting runs")
    matched = iter(keys)
    sent: dict[str, int] = {}
    going = {}
    accepted_ms = []
    size = max(1, rate // TICKS_PER_S)
    started = time.perf_counter()
    for tick in range(seconds * TICKS_PER_S):
        await asyncio.sleep(max(0.0, started + tick / TICKS_PER_S - time.perf_counter()))
        batch = []
        for index in range(size):
            wanted = next(matched, None) if (tick * size + index) % MATCHING == 0 else None
            key = wanted or uuid.uuid4().hex
            if wanted:
                going[key], sent[key] = engine.reports.expect(key), time.time_ns()
            batch.append({"name": ANSWER, "data": {"key": key}})
        before = time.perf_counter()
        await engine.send(batch)
        accepted_ms.append((time.perf_counter() - before) * 1000)
    took_s = time.perf_counter() - started
    resumed_ms = [((await going[key])[0] - at) / 1e6 for key, at in sent.items()]
    accepted50, accepted99 = percentiles(accepted_ms, 50, 99)
    resumed50, resumed99 = percentiles(resumed_ms, 50, 99)
    total = size * TICKS_PER_S * seconds
    return {
        "events_per_s": figure(total / took_s, "events/s", total),
        "accepted_p50_ms": figure(accepted50, "ms", len(accepted_ms)),
        "accepted_p99_ms": figure(accepted99, "ms", len(accepted_ms)),
        "resumed_p50_ms": figure(resumed50, "ms", len(resumed_ms)),
        "resumed_p99_ms": figure(resumed99, "ms", len(resumed_ms)),
    }
