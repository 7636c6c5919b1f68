"""Runs samples concurrently and keeps one row for each; a failed sample is a row too."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import polars as pl
from rich.console import Console

from harness.progress import CountedProgress

Row = dict[str, Any]


class Sample(Protocol):
    """Anything with an id that is unique in its run."""

    @property
    def id(self) -> str:
        """What rows of two runs are paired by."""
        ...


SampleT = TypeVar("SampleT", bound=Sample)


async def run_samples(
    samples: Sequence[SampleT],
    measure: Callable[[SampleT], Awaitable[Row]],
    *,
    failed: Callable[[SampleT], Row],
    label: str,
    console: Console,
    in_flight: int = 4,
    timeout_s: float = 60.0,
) -> pl.DataFrame:
    """Measure every sample, at most `in_flight` at once, and return one row each in their order.

    A sample that raises or takes too long keeps its row: `failed` gives its scores, so that it
    counts against the figure, and `error` says why.

    Args:
        samples: what to measure.
        measure: the columns of one sample.
        failed: the columns of a sample that could not be measured.
        label: what the progress line calls the run.
        console: where progress goes.
        in_flight: how many samples are measured at a time.
        timeout_s: seconds a sample may take.
    """
    rows: dict[str, Row] = {}
    waiting: Iterator[SampleT] = iter(samples)
    with CountedProgress(label, len(samples), console) as progress:

        async def take_turns() -> None:
            for sample in waiting:
                row = await _measure_one(sample, measure, failed, timeout_s)
                rows[sample.id] = row
                progress.advance(failed=row["error"] is not None)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(in_flight, len(samples))):
                group.create_task(take_turns())
    return pl.DataFrame([rows[sample.id] for sample in samples], infer_schema_length=None)


async def _measure_one(
    sample: SampleT,
    measure: Callable[[SampleT], Awaitable[Row]],
    failed: Callable[[SampleT], Row],
    timeout_s: float,
) -> Row:
    started = time.perf_counter()
    error: str | None = None
    try:
        async with asyncio.timeout(timeout_s):
            columns = await measure(sample)
    except TimeoutError:
        error, columns = f"took longer than {timeout_s:g} s", failed(sample)
    except Exception as raised:
        reason = str(raised).splitlines()[0] if str(raised) else "no message"
        error, columns = f"{type(raised).__name__}: {reason}", failed(sample)
    seconds = time.perf_counter() - started
    return {"sample": sample.id, "error": error, "seconds": seconds, **columns}


def failures(rows: pl.DataFrame) -> list[str]:
    """The distinct reasons of failed samples with how often each came, most frequent first."""
    if rows.is_empty():
        return []
    counted = rows.drop_nulls("error").group_by("error").len().sort("len", descending=True)
    return [f"{count} × {error}" for error, count in counted.iter_rows()]


def write_rows(rows: pl.DataFrame, path: Path) -> None:
    """Keep the rows as Parquet, creating the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(path)
