"""How much one user may send."""

import math
import time
from typing import cast

from cachetools import TTLCache
from limits import parse
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError
from limits.storage import storage_from_string

from harness.chat.errors import ApiError, ErrorCode
from harness.errors import HarnessError

_REMEMBERED = 100_000
_REMEMBERED_S = 3600.0


class RateLimiter:
    """A limit per user; the same thing asked for again costs nothing.

    A sliding window over two counters (`limits`), in memory for one API process or in Redis for
    several. Which keys were paid for is kept per process, so a resend to another one may cost.

    Args:
        limit: such as `60/minute`.
        url: where the counters are: `memory://`, `redis://…`.

    Raises:
        HarnessError: the limit or the address can't be used.
    """

    def __init__(self, limit: str, url: str) -> None:
        try:
            self._limit = parse(limit)
        except ValueError as error:
            raise HarnessError(
                f"HARNESS_RATE_LIMIT is {limit!r}, which is no limit",
                "Write it as COUNT/PERIOD, such as 60/minute.",
            ) from error
        self._limiter = SlidingWindowCounterRateLimiter(_storage(url))
        self._paid: TTLCache[str, None] = TTLCache(_REMEMBERED, _REMEMBERED_S)

    async def charge(self, user_id: str, key: str | None = None) -> bool:
        """Charge a user for one thing; answers whether it is within the limit.

        Args:
            user_id: who pays.
            key: what for; a key that was paid for is free.
        """
        if key is not None and key in self._paid:
            return True
        if not await self._limiter.hit(self._limit, user_id):
            return False
        if key is not None:
            self._paid[key] = None
        return True

    async def exceeded(self, user_id: str) -> ApiError:
        """The refusal of a user over the limit, with how long to wait."""
        stats = await self._limiter.get_window_stats(self._limit, user_id)
        wait_s = max(1, math.ceil(stats.reset_time - time.time()))
        return ApiError(
            ErrorCode.RATE_LIMITED,
            f"you are over the limit of {self._limit}",
            f"wait {wait_s} s and send it again with the same idempotency key",
            {"Retry-After": str(wait_s)},
        )


def _storage(url: str) -> Storage:
    if url == "memory://":
        return MemoryStorage()
    try:
        return cast(Storage, storage_from_string(f"async+{url}"))
    except ConfigurationError as error:
        raise HarnessError(
            f"HARNESS_RATE_LIMIT_URL is {url.split('@')[-1]!r}, which can't be used ({error})",
            "Use memory://, or redis://HOST:PORT with the package `limits[async-redis]`.",
        ) from error
