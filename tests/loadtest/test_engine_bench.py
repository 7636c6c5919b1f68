"""The bench of the Inngest engine, small: it drives real processes over real sockets."""

import httpx
import pytest

from evals.figures import figure
from harness.errors import HarnessError
from loadtest.bench.engine.bench import Sizes, bench_engine
from loadtest.bench.engine.servers import engine_part
from loadtest.bench.goals import ENGINE_GOALS, judge

SMALL = Sizes(runs=2, bursts=(4,), sleeping=3, waiting=5, rate=50, seconds=1, stored=20, starts=1)
WAITS = {"wake_late_p50_ms", "wake_late_p99_ms", "woken_early", "events_per_s"}
WAITS |= {f"{kind}_{point}_ms" for kind in ("accepted", "resumed") for point in ("p50", "p99")}


@pytest.fixture
async def another(tmp_path):
    """Another server of the protocol."""
    async with httpx.AsyncClient(trust_env=False) as client:
        part = engine_part("another", tmp_path, client)
        await part.start()
        yield part.spec.url
        await part.stop()


async def test_the_floor_this_engine_and_another_server_are_measured_on_the_same_app(
    tmp_path, another
):
    said = []
    found = await bench_engine(tmp_path, SMALL, against=another, say=said.append)
    for name in ("floor", "engine", "stored", "against"):
        for measured in ("p50_ms", "p99_ms", "gap_p50_ms", "runs_per_s"):
            assert found[f"{name}_{measured}"].value > 0
        assert found[f"{name}_p50_ms"].n == SMALL.runs
    ratio = found["engine_p50_ms"].value / found["floor_p50_ms"].value
    assert found["engine_over_floor"].value == pytest.approx(ratio)
    rate = found["engine_runs_per_s"].value / found["floor_runs_per_s"].value
    assert found["burst_over_floor"].value == pytest.approx(rate)
    assert found.keys() >= WAITS | {f"against_{name}" for name in WAITS}
    assert found["woken_early"].value == 0
    assert found["resumed_p50_ms"].n == SMALL.waiting
    assert {"start_empty_ms", "start_20_ms", "memory_waiting_mb"} <= found.keys()
    assert len(list(judge(found, ENGINE_GOALS))) == 7  # starts without runs stored and with
    assert said[0] == "storing 20 finished runs"


async def test_a_server_that_is_not_there_is_told(tmp_path, free_port):
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(HarnessError, match="could not register with"):
        await bench_engine(tmp_path, SMALL, against=nobody, say=print)


def test_a_goal_is_met_or_missed_by_each_size_that_was_measured():
    figures = {
        "engine_over_floor": figure(2.0, "times"),
        "stored_over_floor": figure(9.0, "times"),
        "burst_over_floor": figure(0.79, "times"),
        "burst_over_floor_2k": figure(0.9, "times"),
        "start_100k_ms": figure(1000, "ms"),
        "start_100k_cpu_ms": figure(5000, "ms"),
    }
    assert [(goal.met, goal.words) for goal in judge(figures, ENGINE_GOALS)] == [
        (True, "met: engine_over_floor is 2, wanted <= 2"),
        (False, "missed: burst_over_floor is 0.79, wanted >= 0.8"),
        (True, "met: burst_over_floor_2k is 0.9, wanted >= 0.8"),
        (False, "missed: start_100k_ms is 1000, wanted < 1000"),
    ]
