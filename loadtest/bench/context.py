"""What context costs: gathering it for a message, and indexing, by how much a user has said."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evals.datasets.loader import ConversationSet
from evals.figures import Figure, figure
from harness.context.corpus import Record, spoken
from harness.errors import HarnessError
from harness.models import Message, Status
from harness.services import Services
from harness.store import ImportedMessage
from loadtest.bench.names import short
from loadtest.histogram import percentiles

PAST = 40  # messages of the thread that context is gathered in
THREAD = 200  # messages of a made-up thread
BATCH = 64  # messages that are indexed at once
LOAD = 5000  # made-up messages a step of loading
SPREAD = 0.8  # how far a made-up vector is from a real one, in lengths of it
SEED = 11
GAP_MS = 60_000
Say = Callable[[str], None]
Vectors = NDArray[np.float32]


async def bench_context(
    services: Services, data: ConversationSet, *, sizes: Sequence[int], queries: int, say: Say
) -> dict[str, Figure]:
    """Measure the production `gather` and indexing with the services' embedder.

    The messages of the past are made up: words drawn from real ones, vectors near real ones. The
    messages that context is gathered for are real questions, each asked once, so that each is
    embedded anew; they are gathered for one at a time.

    Args:
        services: the production parts, over a Chroma and a Convex that may be filled.
        data: real messages and questions.
        sizes: how many messages one user has said, ascending.
        queries: how many messages context is gathered for at each size.
        say: takes a line of progress.

    Returns:
        `gather_p50_ms_1k` and so on by size, and `indexed_per_s`.

    Raises:
        HarnessError: there are not as many questions.
    """
    questions = _shuffled([question.text for question in data.questions])
    if queries * len(sizes) > len(questions):
        raise HarnessError(
            f"{queries} questions at each of {len(sizes)} sizes are more than there are: "
            f"{len(questions)}",
            f"Ask for {len(questions) // len(sizes)} at most.",
        )
    real = [
        Record(turn.id, turn.text, turn.thread, number, turn.sent_at, turn.role, turn.speaker)
        for turns in data.threads.values()
        for number, turn in enumerate(turns)
    ]
    rate = await _index(services, real, say)
    vectors = await services.memory.embedder.aembed([spoken(record) for record in real])
    figures = {"indexed_per_s": figure(rate, "messages/s", len(real))}
    for number, size in enumerate(sizes):
        asked = questions[number * queries : (number + 1) * queries]
        user_id = f"user_bench_{uuid.uuid4().hex[:12]}"
        await _remember(services, user_id, real, vectors, size, say)
        times = await _gather(services, user_id, real, asked)
        await services.memory.forget_user(user_id)
        p50, p95 = percentiles(times[1:], 50, 95)
        name = short(size)
        figures[f"gather_p50_ms_{name}"] = figure(p50, "ms", len(times) - 1)
        figures[f"gather_p95_ms_{name}"] = figure(p95, "ms", len(times) - 1)
        # The first one reads the user's messages into the process.
        figures[f"gather_first_ms_{name}"] = figure(times[0], "ms", 1)
    return figures


async def _index(services: Services, real: Sequence[Record], say: Say) -> float:
    """Messages a second that are embedded and kept, in batches as an import comes."""
    say(f"indexing {len(real):,} messages")
    user_id = f"user_bench_{uuid.uuid4().hex[:12]}"
    started = time.perf_counter()
    for start in range(0, len(real), BATCH):
        batch = [_message(record) for record in real[start : start + BATCH]]
        await services.memory.index(user_id, "bench", batch)
    rate = len(real) / (time.perf_counter() - started)
    await services.memory.forget_user(user_id)
    return rate


async def _remember(
    services: Services,
    user_id: str,
    real: Sequence[Record],
    vectors: Vectors,
    size: int,
    say: Say,
) -> None:
    """Put as many made-up messages into a user's memory."""
    chance = np.random.default_rng(SEED)
    words = [word for record in real for word in record.text.split()]
    lengths = [len(record.text.split()) for record in real]
    for start in range(0, size, LOAD):
        count = min(LOAD, size - start)
        drawn = iter(chance.choice(words, size=count * max(lengths)))
        records = [
            Record(
                id=f"{user_id}-{start + n}",
                text=" ".join(str(next(drawn)) for _ in range(chance.choice(lengths))),
                thread_id=f"{user_id}-{(start + n) // THREAD}",
                order=(start + n) % THREAD,
                sent_at=(start + n) * GAP_MS,
                role="user",
            )
            for n in range(count)
        ]
        near = vectors[chance.integers(len(vectors), size=count)]
        away = chance.normal(scale=SPREAD / np.sqrt(near.shape[1]), size=near.shape)
        rows = (near + away).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        await asyncio.to_thread(services.memory.vectors.upsert, user_id, records, rows)
        say(f"{start + count:,} of {size:,} messages remembered")


async def _gather(
    services: Services, user_id: str, real: Sequence[Record], questions: Sequence[str]
) -> list[float]:
    """How long each gathering takes in a thread with some past; milliseconds."""
    thread_id = await services.store.create_thread(user_id, "bench")
    await services.store.import_messages(
        thread_id,
        [
            ImportedMessage(role=_role(record), content=record.text, sent_at=record.sent_at)
            for record in real[:PAST]
        ],
    )
    times = []
    for question in questions:
        started = time.perf_counter()
        await services.gatherer.gather(user_id, thread_id, PAST, question)
        times.append((time.perf_counter() - started) * 1000)
    return times


def _shuffled(questions: list[str]) -> list[str]:
    random.Random(SEED).shuffle(questions)
    return questions


def _role(record: Record) -> Literal["user", "assistant"]:
    return "user" if record.role == "user" else "assistant"


def _message(record: Record) -> Message:
    return Message(
        id=record.id,
        thread_id=record.thread_id,
        role=_role(record),
        speaker=record.speaker,
        content=record.text,
        sent_at=record.sent_at,
        order=record.order,
        status=Status.COMPLETED,
    )
