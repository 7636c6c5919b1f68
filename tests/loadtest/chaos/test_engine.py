"""Random kills of the engine, of its app and of both, under load."""

import pytest

from loadtest.chaos.engine.target import run

KILLS = 10
MUST_BE_0 = ("lost", "stuck", "duplicated", "reran_effects", "early_timers", "crashes")


@pytest.mark.timeout(300)
async def test_nothing_is_lost_or_done_twice_whatever_is_killed_when(tmp_path):
    counted = []
    figures, broken = await run(tmp_path, kills=KILLS, seed=3, killed=lambda: counted.append(1))
    assert {name: figures[name].value for name in MUST_BE_0} == dict.fromkeys(MUST_BE_0, 0)
    assert not broken
    assert figures["kills"].value == len(counted) == KILLS
    assert figures["runs_completed"].value == figures["runs_started"].value > 0
