import asyncio
import io
from dataclasses import dataclass

import polars as pl
import pytest
from rich.console import Console

from evals.runner import failures, run_samples, write_rows


@dataclass(frozen=True)
class Item:
    id: str


ITEMS = [Item(f"s{i}") for i in range(12)]


@pytest.fixture
def console():
    return Console(file=io.StringIO(), force_terminal=False, width=100)


def _failed(_):
    return {"score": 0.0}


async def _run(measure, console, **more):
    return await run_samples(
        ITEMS, measure, failed=_failed, label="things", console=console, **more
    )


async def test_rows_come_in_the_order_of_the_samples(console):
    async def measure(item):
        await asyncio.sleep(0.02 if item.id == "s0" else 0)
        return {"score": 1.0}

    rows = await _run(measure, console, in_flight=4)
    assert rows["sample"].to_list() == [item.id for item in ITEMS]


async def test_no_more_than_allowed_are_in_flight(console):
    running = peak = 0

    async def measure(_):
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.005)
        running -= 1
        return {"score": 1.0}

    await _run(measure, console, in_flight=3)
    assert peak == 3


async def test_a_sample_that_raises_counts_as_a_failure_with_its_reason(console):
    async def measure(item):
        if item.id == "s3":
            raise LookupError("no such thread\nand more")
        return {"score": 1.0}

    rows = await _run(measure, console)
    row = rows.row(by_predicate=pl.col("sample") == "s3", named=True)
    assert row["error"] == "LookupError: no such thread"
    assert rows["score"].mean() == pytest.approx(11 / 12)


async def test_a_sample_that_takes_too_long_fails(console):
    async def measure(item):
        await asyncio.sleep(60 if item.id == "s1" else 0)
        return {"score": 1.0}

    rows = await _run(measure, console, timeout_s=0.05)
    assert failures(rows) == ["1 × took longer than 0.05 s"]


async def test_failures_are_counted_by_reason(console):
    async def measure(item):
        raise ValueError("odd" if int(item.id[1:]) % 4 else "even")

    assert failures(await _run(measure, console)) == ["9 × ValueError: odd", "3 × ValueError: even"]


async def test_progress_is_plain_lines_where_there_is_no_terminal(console):
    async def measure(item):
        if item.id == "s11":
            raise ValueError("x")
        return {"score": 1.0}

    await _run(measure, console)
    printed = console.file.getvalue()
    assert "\x1b" not in printed
    assert "things: 12/12, 1 failed" in printed


async def test_a_terminal_gets_a_bar_and_no_lines():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)

    async def measure(_):
        return {"score": 1.0}

    await _run(measure, console)
    assert "12/12," not in console.file.getvalue()


async def test_rows_survive_parquet(console, tmp_path):
    async def measure(item):
        return {"score": 0.5, "found": [item.id, "x"], "rank": None if item.id == "s0" else 3}

    rows = await _run(measure, console)
    write_rows(rows, tmp_path / "deep" / "rows.parquet")
    assert pl.read_parquet(tmp_path / "deep" / "rows.parquet").equals(rows)
