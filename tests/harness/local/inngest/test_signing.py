"""Signed mode: both sides know a key and check it."""

import hashlib

import inngest
import pytest

from harness.local.inngest import signing

KEY = "signkey-test-" + "ab" * 32
OTHER = "signkey-test-" + "cd" * 32


def signed_app(local, key):
    local.client = local.new_client("app", is_production=True, signing_key=key, event_key="event")

    @local.function("two", "test/go", retries=0)
    async def two(ctx):
        async def step():
            return "ü"

        return await ctx.step.run("one", step)

    return two


async def test_signed_calls_and_answers_are_accepted(local):
    signed_app(local, KEY)
    await local.serve(signing_key=KEY, event_key="event")
    local.http.headers["authorization"] = f"Bearer {signing_hash(KEY)}"
    assert (await local.run("test/go"))["output"] == "ü"


async def test_an_app_with_another_key_cannot_register(local):
    signed_app(local, OTHER)
    local.start_engine(signing_key=KEY)
    local.start_app()
    assert "signing key" in (await local.register())["error"]


async def test_an_app_whose_key_changed_fails_the_run_with_a_reason(local):
    signed_app(local, KEY)
    await local.serve(signing_key=KEY, event_key="event")
    local.stop_app()
    local.functions.clear()
    signed_app(local, OTHER)
    local.start_app()
    local.http.headers["authorization"] = f"Bearer {signing_hash(KEY)}"
    run = await local.run("test/go")
    assert run["status"] == "Failed"
    assert "signing key" in run["output"]["message"]


@pytest.mark.parametrize(("engine", "app"), [((KEY, OTHER), OTHER), ((KEY, OTHER), KEY)])
async def test_while_keys_are_rotated_an_app_with_either_works(local, engine, app):
    signed_app(local, app)
    await local.serve(signing_key=engine[0], signing_key_fallback=engine[1], event_key="event")
    local.http.headers["authorization"] = f"Bearer {signing_hash(app)}"
    assert (await local.run("test/go"))["output"] == "ü"


async def test_an_app_that_has_both_keys_works_with_an_engine_that_has_the_old_one(
    local, monkeypatch
):
    monkeypatch.setenv("INNGEST_SIGNING_KEY_FALLBACK", KEY)
    signed_app(local, OTHER)
    await local.serve(signing_key=KEY, event_key="event")
    local.http.headers["authorization"] = f"Bearer {signing_hash(KEY)}"
    assert (await local.run("test/go"))["output"] == "ü"


async def test_reading_needs_the_key_too(local):
    local.start_engine(signing_key=KEY)
    assert (await local.http.get("/v1/events")).status_code == 401
    headers = {"authorization": f"Bearer {signing_hash(KEY)}"}
    assert (await local.http.get("/v1/events", headers=headers)).status_code == 200


def signing_hash(key: str) -> str:
    return hashlib.sha256(bytes.fromhex(key.rsplit("-", 1)[1])).hexdigest()


@pytest.mark.parametrize(
    "signature", ["", "t=1&s=2", "s=x", "t=now&s=x", "t=99999999999&s=x", "nonsense"]
)
def test_a_wrong_signature_is_not_verified(signature):
    assert not signing.verify(b"{}", signature, [KEY, OTHER])


async def test_an_event_is_sent_with_the_event_key(local):
    local.start_engine(event_key="event")
    client = local.new_client("app", is_production=True, signing_key=KEY, event_key="wrong")
    with pytest.raises(Exception, match="event key"):
        await client.send(inngest.Event(name="test/a"))
