"""The development key: what stands in for Clerk on one machine."""

import base64
import json
import os
import secrets
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import RSAKey

from harness.errors import HarnessError
from harness.settings import AUDIENCE, Settings

TOKEN_TTL_S = 60  # Clerk's own; clients refresh
_KEY_FILE = Path("keys", "clerk-dev.pem")
_KEY_BITS = 2048


@dataclass(frozen=True)
class DevKey:
    """An RSA key pair that signs development tokens."""

    private: RSAKey

    @property
    def kid(self) -> str:
        """The key's name: its RFC 7638 thumbprint."""
        return self.private.thumbprint()

    @property
    def public_pem(self) -> str:
        """What the API verifies with (CLERK_JWT_KEY)."""
        return self.private.as_pem(private=False).decode()

    @property
    def jwks_url(self) -> str:
        """What Convex verifies with (CLERK_JWKS_URL): the key set itself, as a data: URI."""
        key = {**self.private.as_dict(private=False), "use": "sig", "alg": "RS256", "kid": self.kid}
        encoded = base64.b64encode(json.dumps({"keys": [key]}).encode()).decode()
        return f"data:text/plain;charset=utf-8;base64,{encoded}"


def dev_key(home: Path) -> DevKey:
    """The development key of a home, made at first use with mode 0600.

    Args:
        home: the stack's HARNESS_HOME.

    Raises:
        HarnessError: the file is there but is no RSA key.
    """
    return _load((home / _KEY_FILE).resolve())


@lru_cache(maxsize=8)
def _load(path: Path) -> DevKey:
    if not path.exists():
        _make(path)
    try:
        return DevKey(RSAKey.import_key(path.read_bytes()))
    except ValueError as error:
        raise HarnessError(
            f"The development key {path} can't be read ({error})",
            "Delete it; the next start makes a new one.",
        ) from error


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = RSAKey.generate_key(_KEY_BITS, private=True).as_pem(private=True)
    handle, name = tempfile.mkstemp(dir=path.parent)  # mkstemp's mode is 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
        # Two parts of a stack may start at once: the first key stays, whole.
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()


def mint_token(
    settings: Settings,
    user_id: str,
    *,
    ttl_s: int = TOKEN_TTL_S,
    session_id: str | None = None,
) -> str:
    """Mint a session token shaped as Clerk's (version 2) from the development key.

    Args:
        settings: of the stack that is to accept it.
        user_id: the Clerk user id the token speaks for.
        ttl_s: seconds until it expires.
        session_id: Clerk's session id; a fresh one when None.

    Raises:
        HarnessError: the stack trusts a real Clerk instance, which alone mints its tokens.
    """
    key = dev_key(settings.home)
    trusted = settings.clerk_jwt_key
    if trusted is not None and _bare(trusted.get_secret_value()) != _bare(key.public_pem):
        raise HarnessError(
            "CLERK_JWT_KEY is not the development key, so a development token would be refused",
            "Take a session token from your Clerk application, or unset CLERK_JWT_KEY.",
        )
    now = int(time.time())
    parties = settings.clerk_authorized_parties
    claims: dict[str, str | int | list[int]] = {
        "iss": settings.clerk_issuer,
        "sub": user_id,
        "sid": session_id or f"sess_{secrets.token_hex(12)}",
        "jti": secrets.token_hex(10),
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now - 10,
        "exp": now + ttl_s,
        "fva": [0, -1],
        "v": 2,
    }
    if parties:
        claims["azp"] = parties[0]
    return jwt.encode({"alg": "RS256", "kid": key.kid, "typ": "JWT"}, claims, key.private)


def _bare(pem: str) -> str:
    return "".join(pem.split())
