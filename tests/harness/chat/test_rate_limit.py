import pytest

from harness.chat.errors import ErrorCode
from harness.chat.rate_limit import RateLimiter
from harness.errors import HarnessError


@pytest.fixture
async def limiter() -> RateLimiter:
    return RateLimiter("3/hour", "memory://")


async def test_a_user_is_stopped_at_the_limit(limiter):
    assert [await limiter.charge("a", str(n)) for n in range(5)] == [True] * 3 + [False] * 2


async def test_users_do_not_pay_for_each_other(limiter):
    for number in range(4):
        await limiter.charge("a", str(number))
    assert await limiter.charge("b", "0")


async def test_the_same_key_costs_nothing(limiter):
    assert all([await limiter.charge("a", "same") for _ in range(10)])
    assert await limiter.charge("a", "second")
    assert await limiter.charge("a", "third")
    assert not await limiter.charge("a", "fourth")
    assert await limiter.charge("a", "same")


async def test_a_refused_key_was_not_paid_for(limiter):
    for number in range(3):
        await limiter.charge("a", str(number))
    assert not await limiter.charge("a", "late")
    assert not await limiter.charge("a", "late")


async def test_the_refusal_says_how_long_to_wait(limiter):
    for number in range(4):
        await limiter.charge("a", str(number))
    error = await limiter.exceeded("a")
    assert error.code is ErrorCode.RATE_LIMITED
    assert 1 <= int(error.headers["Retry-After"]) <= 3600


def test_a_limit_that_is_none_is_named():
    with pytest.raises(HarnessError, match="HARNESS_RATE_LIMIT is 'often'"):
        RateLimiter("often", "memory://")


@pytest.mark.parametrize("url", ["nowhere://x", "redis://user:s3cret@127.0.0.1:1"])
def test_a_place_for_counters_that_can_not_be_used_is_named_without_its_password(url):
    with pytest.raises(HarnessError, match="HARNESS_RATE_LIMIT_URL") as refused:
        RateLimiter("3/hour", url)
    assert "s3cret" not in str(refused.value)
