"""Signatures and keys, as the Inngest SDK specification has them."""

import hashlib
import hmac
import re
import time
from collections.abc import Iterable

import jcs  # type: ignore[import-untyped]
import orjson

MAX_AGE_S = 300
_PREFIX = re.compile(r"^signkey-\w+-")


def sign(body: bytes, key: str) -> str:
    """The `x-inngest-signature` of a JSON request body, over its canonical form (RFC 8785)."""
    at = int(time.time())
    canonical = jcs.canonicalize(orjson.loads(body))
    return f"t={at}&s={_digest(canonical, key, at)}"


def verify(body: bytes, signature: str, keys: Iterable[str]) -> bool:
    """Whether an answer's signature, which is over its bytes as they are, is right and recent.

    Args:
        keys: those in force; while keys are rotated there are two.
    """
    fields = dict(part.partition("=")[::2] for part in signature.split("&"))
    stamp, given = fields.get("t", ""), fields.get("s", "")
    if not stamp.isdecimal() or abs(time.time() - int(stamp)) > MAX_AGE_S:
        return False
    return any(hmac.compare_digest(given, _digest(body, key, int(stamp))) for key in keys)


def authorized(header: str | None, keys: Iterable[str]) -> bool:
    """Whether an `Authorization` header carries the hash of one of `keys`, as the SDK sends it.

    Raises:
        ValueError: a key is not hexadecimal after its prefix.
    """
    return any(hmac.compare_digest(header or "", f"Bearer {_hash(key)}") for key in keys)


def _hash(key: str) -> str:
    return hashlib.sha256(bytes.fromhex(_PREFIX.sub("", key))).hexdigest()


def _digest(body: bytes, key: str, at: int) -> str:
    mac = hmac.new(_PREFIX.sub("", key).encode(), body, hashlib.sha256)
    mac.update(str(at).encode())
    return mac.hexdigest()
