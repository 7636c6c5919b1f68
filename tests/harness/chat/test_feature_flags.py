import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.chat.feature_flags import (
    BACKGROUND,
    ConvexFlagProvider,
    FeatureFlags,
    bucket,
    is_on,
)
from harness.models import Flow
from harness.store import Flag


def flag(**changes) -> Flag:
    values = {"key": BACKGROUND, "version": 3, "enabled": True, "percentage": 100.0}
    return Flag(**(values | changes))


def choose(*flags: Flag, user: str = "user_1", kind: str = "standard"):
    provider = ConvexFlagProvider()
    provider.replace(list(flags))
    return FeatureFlags(provider).choose_flow(user, kind)


def test_without_a_flag_the_new_flow_answers():
    choice = choose()
    assert (choice.flow, choice.version) == (Flow.BACKGROUND, 0)


def test_a_flag_that_is_off_turns_to_the_old_flow_and_names_its_version():
    choice = choose(flag(enabled=False, subjects=["user_1"]))
    assert (choice.flow, choice.version) == (Flow.INLINE, 3)


def test_a_kind_that_is_not_named_keeps_the_old_flow():
    only_standard = flag(kinds=["standard"])
    assert choose(only_standard, kind="standard").flow is Flow.BACKGROUND
    assert choose(only_standard, kind="critical").flow is Flow.INLINE


def test_a_named_user_is_in_whatever_the_percentage():
    nobody = flag(percentage=0, kinds=["standard"], subjects=["user_1"])
    assert choose(nobody, kind="critical").flow is Flow.BACKGROUND
    assert choose(nobody, user="user_2").flow is Flow.INLINE


def test_other_types_than_boolean_are_a_mismatch():
    provider = ConvexFlagProvider()
    details = provider.resolve_string_details(BACKGROUND, "x")
    assert (details.value, details.error_code) == ("x", "TYPE_MISMATCH")


@given(st.text(max_size=30), st.floats(0, 100), st.floats(0, 100))
def test_a_user_who_was_reached_stays_reached_as_a_rollout_grows(user, one, other):
    low, high = sorted((one, other))
    if is_on(flag(percentage=low), user, "standard")[0]:
        assert is_on(flag(percentage=high), user, "standard")[0]


@pytest.mark.parametrize("percentage", [10, 50, 90])
def test_a_percentage_reaches_that_share_of_users(percentage):
    users = [f"user_{number}" for number in range(4000)]
    share = sum(is_on(flag(percentage=percentage), user, "standard")[0] for user in users) / 40
    assert abs(share - percentage) < 3


def test_flags_divide_users_independently():
    users = [f"user_{number}" for number in range(4000)]
    both = sum(bucket("a", user) < 50 and bucket("b", user) < 50 for user in users) / 40
    assert abs(both - 25) < 3
