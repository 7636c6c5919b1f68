"""Random kills of the Convex engine under load."""

import pytest

from loadtest.chaos.convex.target import run

KILLS = 4
MUST_BE_0 = (
    "lost",
    "duplicated",
    "torn",
    "untrue_pushes",
    "stuck",
    "refused",
    "scheduled_lost",
    "scheduled_duplicated",
    "crashes",
)


@pytest.mark.timeout(300)
async def test_nothing_acknowledged_is_lost_or_done_twice_whenever_the_engine_is_killed(tmp_path):
    counted = []
    figures, broken = await run(tmp_path, kills=KILLS, seed=3, killed=lambda: counted.append(1))
    assert {name: figures[name].value for name in MUST_BE_0} == dict.fromkeys(MUST_BE_0, 0)
    assert not broken
    assert figures["kills"].value == len(counted) == KILLS
    assert figures["mutations_acked"].value > 0
    assert figures["scheduled"].value > 0
