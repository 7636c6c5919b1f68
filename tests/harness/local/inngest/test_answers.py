"""What an app's answer means, whatever it is."""

import orjson
import pytest

from harness.local.inngest.answers import Failed, Finished, Operations, classify

URL = "http://127.0.0.1:1/api/inngest"
SDK = {"x-inngest-sdk": "inngest-py:v0.5.19", "content-type": "application/json"}


def test_an_output_is_kept_as_it_is():
    assert classify(URL, 200, SDK, b'{"a": [1, null]}') == Finished(b'{"a":[1,null]}')


def test_an_empty_output_is_null():
    assert classify(URL, 200, SDK, b"") == Finished(b"null")


def test_a_lone_surrogate_becomes_the_replacement_character():
    found = classify(URL, 200, SDK, b'"a\\ud800b"')
    assert orjson.loads(found.output) == "a\ufffdb"


def test_steps_are_read():
    answer = classify(URL, 206, SDK, b'[{"id": "x", "op": "StepRun", "data": 1}]')
    assert answer == Operations([{"id": "x", "op": "StepRun", "data": 1}], retriable=True)


def test_the_error_of_a_function_is_kept():
    body = b'{"code": "unknown", "message": "no", "name": "ValueError", "stack": "s"}'
    assert classify(URL, 500, SDK, body) == Failed(
        {"name": "ValueError", "message": "no", "stack": "s", "code": "unknown"}
    )


def test_no_retry_is_heeded():
    answer = classify(URL, 500, SDK | {"x-inngest-no-retry": "true"}, b'{"message": "no"}')
    assert not answer.retriable


def test_retry_after_is_a_time():
    headers = SDK | {"retry-after": "2030-01-01T00:00:00.000Z"}
    assert classify(URL, 500, headers, b'{"message": "no"}').retry_at == 1893456000000


def test_a_streamed_answer_is_unwrapped():
    inner = {"body": '[{"id": "x", "op": "StepRun"}]', "headers": {}, "status": 206}
    answer = classify(URL, 201, SDK, b"   " + orjson.dumps(inner))
    assert answer == Operations([{"id": "x", "op": "StepRun"}])


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (200, {"content-type": "text/html"}, b"<html>hello</html>", "is not an Inngest app"),
        (404, {}, b"", "answered 404 (no content type)"),
        (502, {"content-type": "text/plain"}, b"bad gateway", "bad gateway"),
        (200, SDK, b'{"half": ', "cannot be read"),
        (200, SDK, b"NaN", "NaN is not JSON"),
        (206, SDK, b"[]", "without a list of steps"),
        (206, SDK, b"{}", "without a list of steps"),
        (206, SDK, b'[{"op": "StepRun"}]', "without a list of steps"),
        (201, SDK, b"   ", "cannot be read"),
        (201, SDK, b'{"status": 200}', "cannot be read"),
        (500, SDK, b"[1]", "answered 500"),
        (401, {"x-inngest-sdk-handled": "true"}, b"{}", "signing key"),
    ],
)
def test_nonsense_is_a_failed_attempt_that_says_what_came(status, headers, body, words):
    answer = classify(URL, status, headers, body)
    assert isinstance(answer, Failed)
    assert answer.retriable
    assert words in answer.error["message"]


def test_a_long_answer_is_quoted_in_part():
    answer = classify(URL, 502, {}, b"x" * 10_000)
    assert len(answer.error["message"]) < 400
