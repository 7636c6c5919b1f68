import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.arrivals import schedule

rates = st.floats(0.1, 200)
durations = st.floats(0.1, 30)


@given(rates, durations, st.sampled_from(["poisson", "constant"]), st.integers(0, 99))
def test_arrivals_ascend_and_stay_inside_the_run(rate, duration, arrivals, seed):
    times = schedule(rate, duration, arrivals, seed)

    assert times == sorted(times)
    assert all(0 <= time < duration for time in times)


@given(rates, durations, st.integers(0, 99))
def test_the_same_seed_gives_the_same_schedule(rate, duration, seed):
    assert schedule(rate, duration, "poisson", seed) == schedule(rate, duration, "poisson", seed)


def test_poisson_arrivals_come_at_the_mean_rate_with_exponential_gaps():
    times = schedule(50, 400, "poisson", seed=1)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)

    assert len(times) == pytest.approx(20_000, rel=0.03)
    assert variance**0.5 == pytest.approx(mean, rel=0.05)  # an exponential's deviation is its mean


@pytest.mark.parametrize(("rate", "duration"), [(0, 1), (1, 0), (-1, 5)])
def test_a_rate_or_duration_that_is_not_positive_is_refused(rate, duration):
    with pytest.raises(ValueError, match="above zero"):
        schedule(rate, duration, "constant", 0)
