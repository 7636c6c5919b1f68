"""How long until something is tried again."""

import random

STEPS_S = (15, 30, 60, 120, 300, 600, 1200, 2400, 3600, 7200)
JITTER_S = 10
MOST_TIMES = 8  # how far a backoff of one's own doubles
REFUSED_FIRST_MS, REFUSED_MOST_MS = 100, 2_000
RETRY_AFTER_LEAST_MS, RETRY_AFTER_MOST_MS = 1_000, 24 * 3_600_000


def failed_ms(attempt: int, first_ms: int | None) -> int:
    """The time after a failed attempt, in milliseconds.

    Args:
        attempt: how often it failed before.
        first_ms: the first time, doubled up to eightfold; None for Inngest's table.
    """
    if first_ms is not None:
        return first_ms * min(1 << attempt, MOST_TIMES)
    seconds = STEPS_S[min(attempt, len(STEPS_S) - 1)]
    return int((seconds + random.uniform(0, JITTER_S)) * 1000)


def asked_for_ms(wait_ms: int) -> int:
    """The time an app asked for, within what Inngest allows."""
    return min(max(wait_ms, RETRY_AFTER_LEAST_MS), RETRY_AFTER_MOST_MS)


def refused_ms(times: int) -> int:
    """The time until an app that is down is called again; at most two seconds.

    Args:
        times: how often in a row it was not reached before.
    """
    return min(REFUSED_FIRST_MS * (1 << min(times, 10)), REFUSED_MOST_MS)
