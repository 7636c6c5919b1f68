import asyncio
import io
from dataclasses import dataclass

import polars as pl
import pytest
from rich.console import Console

from evals import runner
from evals.journal import Journal
from evals.runner import Measuring, failures, run_samples, seed_of, write_rows
from harness.llm.errors import ModelRateLimited, ModelRefused, ModelUnavailable


@dataclass(frozen=True)
class Item:
    id: str


ITEMS = [Item(f"s{i}") for i in range(12)]


@pytest.fixture
def console():
    return Console(file=io.StringIO(), force_terminal=False, width=100)


def _failed(_):
    return {"score": 0.0}


async def _run(measure, console, timeout_s=60.0, **more):
    async def seedless(item, _seed):
        return await measure(item)

    measuring = Measuring(seedless, _failed, timeout_s)
    return await run_samples(ITEMS, measuring, label="things", console=console, **more)


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


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(runner, "RETRY_PAUSES_S", (0.0, 0.0))


@pytest.fixture
def paused(monkeypatch):
    """The pauses that were made, none of which takes any time."""
    made = []

    async def sleep(seconds):
        made.append(seconds)

    monkeypatch.setattr(runner.asyncio, "sleep", sleep)
    return made


async def test_a_model_s_server_is_waited_for_as_long_as_it_asks(console, paused):
    left = [ModelRateLimited("busy", 30.0), ModelUnavailable("down")]

    async def measure(_):
        if left:
            raise left.pop(0)
        return {"score": 1.0}

    rows = await _run(measure, console, in_flight=1)
    assert rows["error"].null_count() == len(ITEMS)
    assert rows["tries"][0] == 3
    assert paused == [30.0, runner.RETRY_PAUSES_S[1]]


async def test_a_server_that_asks_for_too_long_a_pause_is_not_waited_for(console, paused):
    async def measure(item):
        if item.id == "s2":
            raise ModelRateLimited("come back tomorrow", 86_400.0)
        return {"score": 1.0}

    rows = await _run(measure, console)
    assert failures(rows) == ["1 × ModelRateLimited: come back tomorrow"]
    assert not paused


async def test_a_model_that_refuses_is_not_asked_again(console, paused):
    async def measure(_):
        raise ModelRefused("no such model")

    rows = await _run(measure, console)
    assert set(rows["tries"]) == {1}


async def test_an_error_that_may_pass_is_tried_again(console, at_once):
    met = []

    async def measure(item):
        met.append(item.id)
        if item.id == "s2" and met.count("s2") < 3:
            raise ConnectionResetError("gone")
        return {"score": 1.0}

    rows = await _run(measure, console)
    assert rows["error"].null_count() == len(ITEMS)
    assert dict(rows.select("sample", "tries").iter_rows()) == {
        item.id: 3 if item.id == "s2" else 1 for item in ITEMS
    }


async def test_an_error_that_stays_is_given_up(console, at_once):
    async def measure(_):
        raise ConnectionRefusedError("nobody there")

    rows = await _run(measure, console)
    assert rows["tries"].to_list() == [3] * len(ITEMS)
    assert failures(rows) == ["12 × ConnectionRefusedError: nobody there"]


async def test_an_error_that_cannot_pass_is_not_tried_again(console):
    async def measure(_):
        raise ValueError("wrong")

    assert (await _run(measure, console))["tries"].to_list() == [1] * len(ITEMS)


async def test_a_repeat_begins_when_nothing_of_the_one_before_is_under_way(console):
    told: list[object] = []

    async def measure(item, _seed):
        await asyncio.sleep(0.01 if item.id == "s11" else 0)
        told.append(item.id)
        return {"score": 1.0}

    measuring = Measuring(measure, _failed, begin_repeat=told.append)
    await run_samples(ITEMS, measuring, label="x", console=console, in_flight=5, repeats=2)
    names = {item.id for item in ITEMS}
    assert (told[0], told[13]) == (0, 1)
    assert set(told[1:13]) == set(told[14:]) == names


async def test_each_repeat_has_a_seed_of_its_own_that_the_next_run_has_too(console):
    async def measure(_, seed):
        return {"score": seed / 2**32}

    async def once():
        return await run_samples(
            ITEMS, Measuring(measure, _failed), label="x", console=console, repeats=3
        )

    first, second = await once(), await once()
    assert first.drop("seconds").equals(second.drop("seconds"))
    assert first["seed"].n_unique() == 3 * len(ITEMS)
    assert first["repeat"].to_list() == [0] * 12 + [1] * 12 + [2] * 12
    assert first["seed"][13] == seed_of("s1", 1)


class Death(BaseException):
    pass


async def test_rows_of_the_journal_are_not_measured_again(console, tmp_path):
    measured = []

    async def measure(item):
        measured.append(item.id)
        if len(measured) == 6:
            raise Death
        return {"score": 1.0}

    with Journal(tmp_path) as journal, pytest.raises(BaseExceptionGroup):
        await _run(measure, console, in_flight=1, journal=journal)
    with Journal(tmp_path) as journal:
        rows = await _run(measure, console, in_flight=1, journal=journal)
    assert rows["sample"].to_list() == [item.id for item in ITEMS]
    assert sorted(measured) == sorted([item.id for item in ITEMS] + ["s5"])


async def test_what_was_spent_is_shown_once_there_is_any(console):
    async def measure(_):
        return {"score": 1.0, "cost": 0.25}

    await _run(measure, console)
    assert "cost 3.0000" in console.file.getvalue()
