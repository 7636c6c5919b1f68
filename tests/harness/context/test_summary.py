import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.context.summary import covered_next, may_be_due, summarises
from harness.llm.models import resolve_model
from harness.settings import LOCAL_MODEL, Settings

REMOTE = {"model": "gpt-4o", "openai_base_url": "http://model.test/v1"}
COSTS = st.lists(st.integers(1, 100), min_size=1, max_size=20)


@given(COSTS, st.integers(-10, 1000))
def test_what_is_covered_next_fits_or_is_one_message(costs, tokens):
    covered = covered_next(costs, tokens)
    assert 1 <= covered <= len(costs)
    assert covered == 1 or sum(costs[:covered]) <= tokens
    assert covered == len(costs) or sum(costs[: covered + 1]) > tokens


@given(COSTS, st.integers(0, 300))
def test_going_on_covers_every_message_once(costs, tokens):
    covered = []
    while len(covered) < len(costs):
        rest = costs[len(covered) :]
        covered += rest[: covered_next(rest, tokens)]
    assert covered == costs


@pytest.mark.parametrize(
    ("model", "summaries", "expected"),
    [
        ("gpt-4o", "auto", True),
        ("gpt-4o", "never", False),
        (LOCAL_MODEL, "auto", False),
        (LOCAL_MODEL, "always", True),
        ("simulated", "auto", False),
        ("simulated?tokens=8", "auto", False),
        ("simulated", "always", True),
    ],
)
def test_capable_models_sum_up_unless_a_setting_says_otherwise(model, summaries, expected):
    settings = Settings(summaries=summaries, **REMOTE)
    assert summarises(resolve_model(model, settings), settings) is expected


def test_a_short_thread_is_not_even_looked_at():
    settings = Settings(history_messages=8, summary_after=6)
    assert not may_be_due(12, settings)
    assert may_be_due(13, settings)
