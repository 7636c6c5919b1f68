import io
import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from harness.keys import mint_token
from harness.settings import Settings
from harness.telemetry.logs import HIDDEN, configure_logs, get_logger, redact


@pytest.fixture
def written():
    """Logs as JSON into a buffer; answers the lines so far."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    buffer = io.StringIO()
    configure_logs("INFO", as_json=True, stream=buffer)
    yield lambda: [json.loads(line) for line in buffer.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers, _ = handlers, root.setLevel(level)


def test_an_event_is_one_line_with_its_fields(written):
    get_logger("x").info("sent", message_key="k", tokens=5)
    (line,) = written()
    assert (line["event"], line["message_key"], line["tokens"]) == ("sent", "k", 5)
    assert (line["level"], line["logger"]) == ("info", "x")


def test_the_standard_librarys_records_take_the_same_way(written):
    logging.getLogger("library").warning("kept %s", "well")
    (line,) = written()
    assert (line["event"], line["level"]) == ("kept well", "warning")


def test_what_a_request_bound_is_in_its_lines(written):
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        get_logger("x").info("inside")
    get_logger("x").info("outside")
    inside, outside = written()
    assert inside["request_id"] == "r1"
    assert "request_id" not in outside


def test_a_token_is_hidden_wherever_it_stands(written, tmp_path):
    token = mint_token(Settings(home=tmp_path), "user_1")
    log = get_logger("x")
    log.info(f"got {token}", headers={"Authorization": f"Bearer {token}"}, seen=[token])
    logging.getLogger("library").error("refused %s", token)
    try:
        raise ValueError(token)
    except ValueError:
        log.exception("failed")
    assert token not in json.dumps(written())


@pytest.mark.parametrize(
    "name",
    ["token", "Authorization", "deploy_key", "CONVEX_DEPLOY_KEY", "INNGEST_SIGNING_KEY",
     "openai_api_key", "cookie", "client_secret", "clerk_jwt_key", "session_token"],
)  # fmt: skip
def test_a_field_that_is_named_as_a_secret_is_hidden(name):
    assert redact({name: "s3cret"}) == {name: HIDDEN}


@pytest.mark.parametrize("name", ["message_key", "prompt_tokens", "tokens", "key", "thread_id"])
def test_a_field_that_only_sounds_like_one_is_kept(name):
    assert redact({name: "plain"}) == {name: "plain"}


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-abcdefghijklmnop",
        "signkey-prod-0123456789abcdef",
        "Convex prod:x|0123456789abcdef",
        "https://me:0123456789abcdef@tracking.example/api",
    ],
)
def test_a_key_in_a_text_is_hidden(text):
    assert HIDDEN in redact(f"with {text} in it")
    assert "0123456789abcdef" not in redact(text)


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=10))
def test_redacting_twice_changes_nothing_more(value):
    once = redact(value)
    assert redact(once) == once
