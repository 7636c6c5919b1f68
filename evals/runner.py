"""Runs samples concurrently and keeps one row for each; a failed sample is a row too."""

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import httpx
import polars as pl
from rich.console import Console

from evals.journal import Journal, Row, RowKey
from harness.llm.errors import ModelRateLimited, ModelUnavailable, StreamCut
from harness.progress import CountedProgress
from harness.store.errors import StoreUnavailable

# What another try may not meet again: no connection to Chroma, to Convex or to anything else, a
# model's server that is over its limit. All else, a sample that took too long too, would most
# likely end the same way once more.
MAY_PASS = (
    ConnectionError, httpx.TransportError, StoreUnavailable, ModelRateLimited, ModelUnavailable,
    StreamCut,
)  # fmt: skip
RETRY_PAUSES_S = (0.2, 1.0)  # before the second and before the last try
LONGEST_PAUSE_S = 120.0  # that a server may ask for; a sample that would wait longer fails


class Sample(Protocol):
    """Anything with an id that is unique in its run."""

    @property
    def id(self) -> str:
        """What rows of two runs are paired by."""
        ...


SampleT = TypeVar("SampleT", bound=Sample)


@dataclass(frozen=True)
class Measuring(Generic[SampleT]):
    """How one sample becomes the columns of its row.

    Attributes:
        measure: the columns of a sample, given a seed for whatever in it is random.
        failed: the columns of a sample that could not be measured.
        timeout_s: seconds that one try of a sample may take.
        begin_repeat: told which repeat begins, when nothing of the one before is under way.
    """

    measure: Callable[[SampleT, int], Awaitable[Row]]
    failed: Callable[[SampleT], Row]
    timeout_s: float = 60.0
    begin_repeat: Callable[[int], None] = lambda _: None


async def run_samples(
    samples: Sequence[SampleT],
    measuring: Measuring[SampleT],
    *,
    label: str,
    console: Console,
    in_flight: int = 4,
    repeats: int = 1,
    journal: Journal | None = None,
) -> pl.DataFrame:
    """Measure every sample and return one row each as a frame; see `measured_rows`."""
    rows = await measured_rows(
        samples,
        measuring,
        label=label,
        console=console,
        in_flight=in_flight,
        repeats=repeats,
        journal=journal,
    )
    return pl.DataFrame(rows, infer_schema_length=None)


async def measured_rows(
    samples: Sequence[SampleT],
    measuring: Measuring[SampleT],
    *,
    label: str,
    console: Console,
    in_flight: int = 4,
    repeats: int = 1,
    journal: Journal | None = None,
) -> list[Row]:
    """Measure every sample, at most `in_flight` at once, and return one row each in their order.

    A sample that raises or takes too long keeps its row: `failed` gives its scores, so that it
    counts against the figure, and `error` says why. The next sample is only taken up when one is
    finished, so that nothing queues, and a repeat when the one before it is.

    Args:
        samples: what to measure.
        measuring: how.
        label: what the progress line calls the run.
        console: where progress goes.
        in_flight: how many samples are measured at a time.
        repeats: how often each is measured, each time with another seed.
        journal: holds rows that need not be measured again, and is given the others as they come.
    """
    rows: dict[RowKey, Row] = {} if journal is None else dict(journal.rows)
    due = [[each for each in samples if (each.id, n) not in rows] for n in range(repeats)]
    with CountedProgress(label, sum(map(len, due)), console) as progress:

        async def take_turns(waiting: Iterator[SampleT], repeat: int) -> None:
            for sample in waiting:
                row = await _measure_one(sample, repeat, measuring)
                rows[sample.id, repeat] = row
                if journal is not None:
                    journal.append(row)
                progress.advance(failed=row["error"] is not None, cost=row.get("cost") or 0.0)

        for repeat, left in enumerate(due):
            measuring.begin_repeat(repeat)
            waiting = iter(left)
            async with asyncio.TaskGroup() as group:
                for _ in range(min(in_flight, len(left))):
                    group.create_task(take_turns(waiting, repeat))
    return [rows[sample.id, repeat] for repeat in range(repeats) for sample in samples]


def seed_of(sample_id: str, repeat: int) -> int:
    """The seed of one measurement: the same in every run, whatever order it is measured in."""
    return zlib.crc32(f"{sample_id}\0{repeat}".encode())


async def _measure_one(sample: SampleT, repeat: int, measuring: Measuring[SampleT]) -> Row:
    seed = seed_of(sample.id, repeat)
    started = time.perf_counter()
    error: str | None = None
    tries = 0
    while True:
        tries += 1
        try:
            async with asyncio.timeout(measuring.timeout_s) as limit:
                columns = await measuring.measure(sample, seed)
            break
        except Exception as raised:
            pause_s = _pause_s(raised, tries)
            if pause_s is not None:
                await asyncio.sleep(pause_s)
                continue
            late = limit.expired()
            error = f"took longer than {measuring.timeout_s:g} s" if late else _reason(raised)
            columns = measuring.failed(sample)
            break
    return {
        "sample": sample.id,
        "repeat": repeat,
        "seed": seed,
        "error": error,
        "tries": tries,
        "seconds": time.perf_counter() - started,
        **columns,
    }


def _pause_s(error: Exception, tries: int) -> float | None:
    """How long to wait before another try; None when there is to be none."""
    if not isinstance(error, MAY_PASS) or tries > len(RETRY_PAUSES_S):
        return None
    asked = error.retry_after_s if isinstance(error, ModelRateLimited) else None
    pause_s = max(RETRY_PAUSES_S[tries - 1], asked or 0.0)
    return pause_s if pause_s <= LONGEST_PAUSE_S else None


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error) or 'no message').splitlines()[0]}"


def failures(rows: pl.DataFrame, column: str = "error") -> list[str]:
    """The distinct reasons of failed samples with how often each came, most frequent first.

    Args:
        rows: of a run.
        column: that holds the reasons; none where rows have no such column.
    """
    if column not in rows.columns:
        return []
    counted = rows.drop_nulls(column).group_by(column).len().sort("len", column, descending=True)
    return [f"{count} × {error}" for error, count in counted.iter_rows()]


def write_rows(rows: pl.DataFrame, path: Path) -> None:
    """Keep the rows as Parquet, creating the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(path)
