import pytest

from harness.errors import HarnessError
from harness.local.environment import without_ours
from harness.local.supervisor import Stack
from loadtest.commands import load_command
from loadtest.measures import measure
from loadtest.run import run_load
from loadtest.stack import NO_RATE_LIMIT

QUICK = "simulated?ttft_ms=0&itl_ms=0&tokens=5"


@pytest.mark.timeout(300)
async def test_every_message_of_a_load_run_is_followed_to_its_end(tmp_path):
    env = {"HARNESS_MODEL": "simulated", **NO_RATE_LIMIT}
    counts: list[dict[str, int]] = []

    async with Stack(tmp_path, env=env, environ=without_ours()) as stack:
        result = await run_load(
            stack.settings,
            "send",
            rate=5,
            duration_s=3,
            arrivals="constant",
            users=3,
            threads=2,
            model=QUICK,
            drain_s=60,
            on_progress=counts.append,
        )

    figures = measure(result, 3)
    assert len(result.samples) == 15
    assert (figures["dropped"], figures["errors"]) == (0, 0)
    for sample in result.samples:
        assert sample.status == "completed"
        assert 0 < sample.ack_ms <= sample.visible_ms <= sample.completed_ms
    assert counts[-1]["sent"] <= 15


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"scenario": "rush"}, "no scenario 'rush'; there are: send"),
        ({"arrivals": "bursty"}, "--arrivals is 'bursty'"),
        ({"rate": 0.0}, "--rate is 0; it must be above zero"),
        ({"slo": "p95"}, "cannot read 'p95'"),
    ],
)
async def test_a_wrong_request_is_refused_before_any_stack_starts(wrong, told, monkeypatch):
    def no_stack(*_: object) -> None:
        raise AssertionError("a stack was started")

    monkeypatch.setattr("loadtest.commands.measuring_stack", no_stack)
    asked = {
        "scenario": "send",
        "rate": 1.0,
        "duration_s": 1.0,
        "arrivals": "constant",
        "seed": 0,
        "users": 1,
        "model": QUICK,
        "slo": None,
        "json": None,
    }

    with pytest.raises(HarnessError, match=told):
        await load_command(**{**asked, **wrong})
