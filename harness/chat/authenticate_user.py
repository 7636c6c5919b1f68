"""Who sends a request: Clerk's session tokens, verified without a network call."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

from clerk_backend_api.security import AuthenticateRequestOptions, authenticate_request
from joserfc.errors import JoseError
from joserfc.jws import extract_compact

from harness.chat.errors import ApiError, ErrorCode
from harness.errors import HarnessError
from harness.keys import dev_key
from harness.settings import AUDIENCE, Settings

MAX_TOKEN_BYTES = 8192
_CLOCK_SKEW_MS = 5000
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


@dataclass(frozen=True)
class SignedIn:
    """A user who proved who they are.

    Attributes:
        user_id: the Clerk user id.
        session_id: the Clerk session the token is of.
        token: the token itself; Convex takes the same one.
    """

    user_id: str
    session_id: str
    token: str


@dataclass(frozen=True)
class _Headers:
    """What Clerk's package reads a request's token from."""

    headers: Mapping[str, str]


class Authenticator:
    """Verifies session tokens of one Clerk instance.

    Clerk's package checks the signature, the times and the parties. What it lets through is
    checked here: the issuer, a missing subject, session or expiry, a session that is still
    pending, a malformed key id, and any size.

    Args:
        public_pem: the instance's public key (CLERK_JWT_KEY).
        issuer: the instance's address, as tokens carry it.
        parties: origins a token may be minted for; empty accepts any.
    """

    def __init__(self, public_pem: str, issuer: str, parties: list[str]) -> None:
        self._issuer = issuer
        self._options = AuthenticateRequestOptions(
            jwt_key=public_pem,
            audience=AUDIENCE,
            authorized_parties=parties or None,
            clock_skew_in_ms=_CLOCK_SKEW_MS,
            # By default a token shaped as an API key is looked up at Clerk's host.
            accepts_token=["session_token"],
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> "Authenticator":
        """The verifier that the settings ask for.

        Raises:
            HarnessError: outside one's own machine no key is configured.
        """
        if settings.clerk_jwt_key is not None:
            pem = settings.clerk_jwt_key.get_secret_value()
        elif settings.env == "local":
            pem = dev_key(settings.home).public_pem
        else:
            raise HarnessError(
                f"HARNESS_ENV is {settings.env} and CLERK_JWT_KEY is not set",
                "Set it to the PEM public key of your Clerk instance.",
            )
        return cls(pem, settings.clerk_issuer, settings.clerk_authorized_parties)

    def authenticate(self, headers: Mapping[str, str]) -> SignedIn:
        """Verify a request's session token.

        Args:
            headers: the request's, looked up by lower-case name.

        Raises:
            ApiError: `unauthenticated`, saying what is wrong with the token.
        """
        token = _find_token(headers)
        _check_shape(token)
        state = authenticate_request(_Headers({"Authorization": f"Bearer {token}"}), self._options)
        if not state.is_signed_in or state.payload is None:
            raise _refused(state.message or "it could not be verified")
        return self._check_claims(token, state.payload)

    def _check_claims(self, token: str, claims: Mapping[str, Any]) -> SignedIn:
        if claims.get("iss") != self._issuer:
            raise _refused("it was issued by somebody else")
        if not isinstance(claims.get("exp"), int):
            raise _refused("it never expires")
        user_id, session_id = claims.get("sub"), claims.get("sid")
        if not isinstance(user_id, str) or not user_id:
            raise _refused("it names no user")
        if not isinstance(session_id, str) or not session_id:
            raise _refused("it names no session")
        if claims.get("sts", "active") != "active":
            raise _refused("its session is not active yet")
        return SignedIn(user_id, session_id, token)


def _find_token(headers: Mapping[str, str]) -> str:
    authorization = headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _refused("the Authorization header is not `Bearer TOKEN`")
        return token.strip()
    cookie = headers.get("cookie")
    if cookie is not None and len(cookie) <= 4 * MAX_TOKEN_BYTES:
        try:
            morsels = SimpleCookie(cookie)
        except CookieError:
            morsels = SimpleCookie()
        for name, morsel in morsels.items():
            if name == "__session" or name.startswith("__session_"):
                return morsel.value
    raise _refused("none was sent")


def _check_shape(token: str) -> None:
    if len(token) > MAX_TOKEN_BYTES:
        raise _refused(f"it is longer than {MAX_TOKEN_BYTES} bytes")
    if not _TOKEN.fullmatch(token):
        raise _refused("it is not a JWT")
    try:
        key_id = extract_compact(token.encode()).headers().get("kid")
    except (JoseError, ValueError) as error:
        raise _refused("its header can't be read") from error
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise _refused("its key id is malformed")


def _refused(reason: str) -> ApiError:
    return ApiError(
        ErrorCode.UNAUTHENTICATED,
        f"the session token is refused: {reason}",
        "send a fresh session token as `Authorization: Bearer TOKEN`; they live 60 s",
        {"WWW-Authenticate": "Bearer"},
    )
