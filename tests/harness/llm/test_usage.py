import pytest

from harness.llm.usage import cost
from harness.models import Usage
from harness.settings import ModelPrice

USAGE = Usage(prompt_tokens=1_000_000, completion_tokens=500_000, cached_tokens=400_000)


def test_an_unknown_models_cost_is_unknown():
    assert cost(USAGE, "other", {"big": ModelPrice(prompt=1, completion=1)}) is None


def test_cached_tokens_have_their_own_price():
    prices = {"big": ModelPrice(prompt=2, completion=8, cached=0.5)}
    assert cost(USAGE, "big", prices) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.5 * 8)


def test_cached_tokens_cost_as_others_without_one():
    prices = {"big": ModelPrice(prompt=2, completion=8)}
    assert cost(USAGE, "big", prices) == pytest.approx(2 + 4)
