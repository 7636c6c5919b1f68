"""CEL with Inngest's meaning."""

import pytest

from harness.local.inngest.expressions import ExpressionError, compile_expression

EVENT = {
    "name": "test/go",
    "ts": 5,
    "data": {
        "key": "a",
        "n": 1,
        "whole": 2.0,
        "half": 1.5,
        "list": ["a", "b"],
        "nested": {"deep": {"x": 1}},
        "nothing": None,
        "odd key": 1,
    },
}
OTHER = {"name": "test/other", "data": {"key": "a", "n": 1.0}}


@pytest.mark.parametrize(
    "source",
    [
        "event.data.key == async.data.key",
        "event.data.n == async.data.n",
        "event.data.n < 1.5 && event.data.half > 1",
        "event.data.whole + 1 == 3",
        "event.data.missing == null",
        "event.data.missing.deeper == null",
        "event.data.missing != 'x'",
        "event.data.nothing == null",
        "event.data.missing == async.data.missing",
        "event.data.missing == null || event.data.missing.x == 1",
        "event.data.nested.other == null && event.data.nested.deep.x == 1",
        "has(event.data.key) && !has(event.data.missing)",
        "!has(event.data.missing) || event.data.missing > 3",
        "'b' in event.data.list",
        "event.data.list.exists(x, x == async.data.key)",
        "event.data.list[0] == 'a'",
        "event.data['odd key'] == 1",
        'event.data["key"] == "a"',
        "event.data.key.startsWith('a')",
        "size(event.data.list) == 2",
        "event.name == 'test/go' && event.ts > 3",
        "event.data.key + '-event.data.missing' == 'a-event.data.missing'",
        "event.data.nested == {'deep': {'x': 1}}",
    ],
)
def test_it_is_true(source):
    assert compile_expression(source).true(**{"event": EVENT, "async": OTHER})


@pytest.mark.parametrize(
    "source",
    [
        "event.data.key == 'b'",
        "event.data.missing > 3",
        "event.data.missing.startsWith('a')",
        "event.data.key > 3",
        "event.data.key",
        "event.data.n",
        "1 / 0 == 1",
        "unknown.name == 1",
    ],
)
def test_what_is_false_fails_or_is_no_boolean_is_not_true(source):
    assert not compile_expression(source).true(**{"event": EVENT, "async": OTHER})


@pytest.mark.parametrize("source", ["", "event.data ===", "event.data.key == 'a", "a b"])
def test_what_does_not_compile_is_refused_with_its_text(source):
    with pytest.raises(ExpressionError, match="is not CEL"):
        compile_expression(source)


@pytest.mark.parametrize(
    ("source", "path", "value"),
    [
        ("async.data.key == event.data.key", ("data", "key"), "a"),
        ("event.data.key == async.data.key", ("data", "key"), "a"),
        ("async.data.key == 'b && c'", ("data", "key"), "b && c"),
        ("async.data.key == event.data.key && async.data.n > 0", ("data", "key"), "a"),
    ],
)
def test_a_leading_equality_is_found_for_the_index(source, path, value):
    found = compile_expression(source).equality
    assert found.path == path
    assert found.value(event=EVENT) == value


@pytest.mark.parametrize(
    "source",
    [
        "async.data.key == event.data.key || async.data.n == 1",
        "async.data.key != event.data.key",
        "async.data.key == async.data.other",
        "!(async.data.key == 'a')",
        "async.data.n > 3",
        "true",
        "async.data.a == 1 ? true : false",
        "size(async.data.key) == 3",
    ],
)
def test_what_does_not_say_what_must_be_equal_is_not_indexed(source):
    assert compile_expression(source).equality is None
