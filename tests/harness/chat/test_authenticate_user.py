import time

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.datastructures import Headers

from harness.chat.authenticate_user import Authenticator
from harness.chat.errors import ApiError, ErrorCode
from harness.errors import HarnessError
from harness.keys import dev_key, mint_token
from harness.settings import Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def authenticator(settings) -> Authenticator:
    return Authenticator.from_settings(settings)


@pytest.fixture
def forge(settings):
    """Signs claims with the trusted key: right ones, changed as the test asks."""

    def token(*, without: str = "", header: dict | None = None, key=None, **changes) -> str:
        now = int(time.time())
        claims = {
            "iss": settings.clerk_issuer,
            "sub": "user_1",
            "sid": "sess_1",
            "azp": "http://localhost:3000",
            "aud": "convex",
            "iat": now,
            "nbf": now,
            "exp": now + 60,
            "v": 2,
        } | changes
        claims.pop(without, None)
        trusted = dev_key(settings.home)
        head = {"alg": "RS256", "kid": trusted.kid, "typ": "JWT"} | (header or {})
        return jwt.encode(head, claims, key or trusted.private)

    return token


def bearer(token: str) -> Headers:
    return Headers({"Authorization": f"Bearer {token}"})


def refusal(authenticator, headers) -> str:
    with pytest.raises(ApiError) as refused:
        authenticator.authenticate(headers)
    assert refused.value.code is ErrorCode.UNAUTHENTICATED
    return refused.value.message


def test_a_minted_token_signs_its_user_in(authenticator, settings):
    token = mint_token(settings, "user_7", session_id="sess_7")
    user = authenticator.authenticate(bearer(token))
    assert (user.user_id, user.session_id, user.token) == ("user_7", "sess_7", token)


@pytest.mark.parametrize("name", ["__session", "__session_abc123"])
def test_clerks_cookie_signs_in(authenticator, forge, name):
    headers = Headers({"Cookie": f"theme=dark; {name}={forge()}"})
    assert authenticator.authenticate(headers).user_id == "user_1"


def test_the_scheme_is_case_insensitive(authenticator, forge):
    assert authenticator.authenticate(Headers({"authorization": f"bearer {forge()}"}))


@pytest.mark.parametrize("claim", ["iss", "sub", "sid", "exp", "aud", "azp"])
def test_a_token_without_a_claim_is_refused(authenticator, forge, claim):
    refusal(authenticator, bearer(forge(without=claim)))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://clerk.elsewhere.example"},
        {"sub": ""},
        {"sub": 7},
        {"sid": ""},
        {"sts": "pending"},
        {"aud": "another"},
        {"azp": "https://evil.example"},
        {"exp": 1_000_000_000},
        {"nbf": 4_000_000_000},
        {"iat": 4_000_000_000},
        {"exp": "never"},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(authenticator, forge, changes):
    refusal(authenticator, bearer(forge(**changes)))


def test_an_active_session_is_accepted(authenticator, forge):
    assert authenticator.authenticate(bearer(forge(sts="active")))


def test_a_token_of_another_key_is_refused(authenticator, forge):
    token = forge(key=RSAKey.generate_key(2048, private=True))
    assert "signature" in refusal(authenticator, bearer(token))


@pytest.mark.parametrize("kid", ["", "a b", "../../etc/passwd", "x" * 200], ids=str)
def test_a_malformed_key_id_is_refused(authenticator, forge, kid):
    assert "key id" in refusal(authenticator, bearer(forge(header={"kid": kid})))


def test_an_unsigned_token_is_refused(authenticator, forge):
    head, payload, _ = forge().split(".")
    refusal(authenticator, bearer(f"{head}.{payload}."))
    none = "eyJhbGciOiJub25lIiwia2lkIjoieCJ9"
    refusal(authenticator, bearer(f"{none}.{payload}.c2ln"))


def test_a_token_of_a_megabyte_is_refused_before_it_is_parsed(authenticator):
    assert "longer" in refusal(authenticator, bearer("a" * 1_000_000))


@pytest.mark.parametrize("token", ["ak_0123456789abcdef", "oat_x", "m2m_x", "mt_x", "nonsense"])
def test_what_is_no_session_token_is_refused_without_a_lookup(authenticator, token):
    assert "JWT" in refusal(authenticator, bearer(token))


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": ""}, {"Authorization": "Basic eDp5"}, {"Cookie": "a=b"}],
    ids=str,
)
def test_a_request_without_a_token_is_refused(authenticator, headers):
    refusal(authenticator, Headers(headers))


def test_no_refusal_repeats_the_token(authenticator, forge):
    token = forge(iss="https://clerk.elsewhere.example")
    assert token not in refusal(authenticator, bearer(token))


def test_a_development_key_is_not_trusted_outside_ones_machine(tmp_path):
    with pytest.raises(HarnessError, match="CLERK_JWT_KEY"):
        Authenticator.from_settings(Settings(home=tmp_path, env="staging"))
