"""ULIDs: identifiers that sort by time (https://github.com/ulid/spec)."""

import base64
import binascii
import random
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_ENTROPY_BYTES = 10
_TIME_LIMIT = 1 << 48
_STEADY_ORIGIN_NS = time.time_ns() - time.monotonic_ns()


def now_ms() -> int:
    """The wall clock in integer milliseconds UTC."""
    return time.time_ns() // 1_000_000


def steady_us() -> int:
    """Microseconds UTC by the wall clock as it stood at the process's start.

    It goes on evenly whatever the wall clock does since, and is close to it after a restart.
    """
    return (_STEADY_ORIGIN_NS + time.monotonic_ns()) // 1000


def steady_at(at_ms: int) -> int:
    """The steady clock's time at a moment of the wall clock, as both stand now."""
    return steady_us() + (at_ms - now_ms()) * 1000


def ulid(at_ms: int, entropy: bytes | None = None) -> str:
    """A 26-character ULID.

    Args:
        at_ms: the time it sorts by, in milliseconds since the epoch.
        entropy: ten bytes; random when not given.
    """
    value = (at_ms << 80) | int.from_bytes(entropy or random.randbytes(_ENTROPY_BYTES), "big")
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)])


def seeded_ulid(seed: str, index: int) -> str | None:
    """The ULID of the `index`-th event of a request that carried `seed`.

    The SDK sends the same seed when it repeats a request whose answer it never saw, so that the
    repetition finds the events it made the first time.

    Args:
        seed: the header's value, `milliseconds,base64 of ten bytes`.
        index: the event's place in the request.

    Returns:
        None when the seed is malformed.
    """
    millis, _, encoded = seed.partition(",")
    try:
        at_ms, entropy = int(millis), base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        return None
    if len(entropy) != _ENTROPY_BYTES or not 0 <= at_ms < _TIME_LIMIT:
        return None
    tail = (int.from_bytes(entropy[6:], "big") + index) % (1 << 32)
    return ulid(at_ms, entropy[:6] + tail.to_bytes(4, "big"))
