import base64
import json
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from pydantic import SecretStr

from harness.errors import HarnessError
from harness.keys import dev_key, mint_token
from harness.settings import Settings


def published(home) -> KeySet:
    encoded = dev_key(home).jwks_url.split(",", 1)[1]
    return KeySet.import_key_set(json.loads(base64.b64decode(encoded)))


def test_a_token_is_shaped_as_clerks_and_verifies_against_the_published_keys(tmp_path):
    settings = Settings(home=tmp_path)
    token = jwt.decode(mint_token(settings, "user_1"), published(tmp_path), algorithms=["RS256"])
    claims = token.claims
    assert token.header["alg"] == "RS256"
    assert (claims["iss"], claims["sub"]) == (settings.clerk_issuer, "user_1")
    assert (claims["aud"], claims["azp"]) == ("convex", "http://localhost:3000")
    assert claims["sid"].startswith("sess_")
    assert (claims["v"], claims["exp"] - claims["iat"]) == (2, 60)
    assert claims["nbf"] <= claims["iat"]
    assert "sts" not in claims


def test_only_the_public_half_is_published(tmp_path):
    key = dev_key(tmp_path)
    (published_key,) = json.loads(base64.b64decode(key.jwks_url.split(",", 1)[1]))["keys"]
    assert set(published_key) == {"kty", "n", "e", "use", "alg", "kid"}
    assert "PRIVATE" not in key.public_pem


def test_the_key_is_its_owners_alone_and_stays_the_same(tmp_path):
    first = dev_key(tmp_path).kid
    (file,) = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert dev_key(tmp_path).kid == first


def test_two_processes_that_start_at_once_share_one_key(tmp_path):
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        pems = set(pool.map(_public_pem, [str(tmp_path)] * 4))
    assert len(pems) == 1
    assert len(list((tmp_path / "keys").iterdir())) == 1


def _public_pem(home: str) -> str:
    from pathlib import Path

    return dev_key(Path(home)).public_pem


def test_a_broken_key_file_is_named(tmp_path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "clerk-dev.pem").write_text("nonsense")
    with pytest.raises(HarnessError, match=r"clerk-dev\.pem"):
        dev_key(tmp_path)


def test_no_development_token_is_minted_for_a_real_instance(tmp_path):
    theirs = dev_key(tmp_path / "elsewhere").public_pem
    settings = Settings(home=tmp_path, clerk_jwt_key=SecretStr(theirs))
    with pytest.raises(HarnessError, match="CLERK_JWT_KEY"):
        mint_token(settings, "user_1")


def test_a_configured_development_key_still_mints(tmp_path):
    settings = Settings(home=tmp_path, clerk_jwt_key=SecretStr(dev_key(tmp_path).public_pem))
    assert mint_token(settings, "user_1")
