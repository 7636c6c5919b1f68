import random
import statistics

import pytest

from harness.errors import HarnessError
from harness.local.simulated._profile import Profile


def test_draws_have_the_given_median():
    rng = random.Random(1)
    drawn = [Profile(ttft_ms=200, ttft_sigma=0.5).draw_ttft_s(rng) for _ in range(4000)]
    assert statistics.median(drawn) == pytest.approx(0.2, rel=0.05)


def test_draws_have_the_given_spread():
    rng = random.Random(1)
    drawn = sorted(Profile(ttft_ms=200, ttft_sigma=0.5).draw_ttft_s(rng) for _ in range(4000))
    # One sigma of the logarithm above the median is the 84th percentile.
    assert drawn[int(0.8413 * 4000)] / drawn[2000] == pytest.approx(1.6487, rel=0.06)


def test_an_overridden_median_is_exact():
    profile = Profile().overridden({"tokens": "33"})
    assert {profile.draw_tokens(random.Random(seed)) for seed in range(20)} == {33}


def test_an_overridden_median_may_bring_its_sigma():
    profile = Profile().overridden({"tokens": "33", "tokens_sigma": "1"})
    assert len({profile.draw_tokens(random.Random(seed)) for seed in range(20)}) > 10


def test_no_delay_draws_no_gaps():
    profile = Profile().overridden({"itl_ms": "0"})
    assert profile.draw_gaps_s(3, random.Random(0)) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("value", ["-1", "soon", "nan"])
def test_a_bad_value_is_named(value):
    with pytest.raises(HarnessError, match=value):
        Profile().overridden({"itl_ms": value})
