"""When what is killed, and how long until it was back."""

import pytest

from loadtest.chaos.kills import Killed, plan, recoveries_ms

VICTIMS = (("one",), ("two",), ("one", "two"))


def test_a_seed_plans_the_same_kills_and_another_one_others():
    first, again, other = (list(plan(50, seed, VICTIMS)) for seed in (1, 1, 2))
    assert first == again != other
    assert {kill.victims for kill in first} == set(VICTIMS)
    assert {kill.early for kill in first} == {True, False}


def test_recovery_is_from_a_kill_to_the_first_sign_of_life_after_the_restart():
    kills = [Killed(2.0, 2.1), Killed(3.0, 3.1), Killed(4.0, 4.1)]
    # There was no sign between the second kill and the third.
    assert recoveries_ms([4.5, 1.0, 2.05, 2.5], kills) == pytest.approx([500.0, 500.0])
