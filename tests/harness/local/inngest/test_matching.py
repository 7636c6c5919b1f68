"""The index of waits finds what a plain look at every wait would find."""

from hypothesis import given
from hypothesis import strategies as st

from harness.local.inngest.expressions import compile_expression
from harness.local.inngest.matching import Listener, Matcher
from harness.local.inngest.state import Event, Run

EXPRESSIONS = [
    None,
    "async.data.key == event.data.key",
    "event.data.key == async.data.key && async.data.n == 1",
    "async.data.key == event.data.key || async.data.n == 1",
    "async.data.n == 1",
    "async.data.key == 'a'",
    "async.data.key == null",
]
VALUES = st.sampled_from(["a", "b", 1, 1.0, 0, True, None, ["a"], {"x": 1}])
DATA = st.dictionaries(st.sampled_from(["key", "n"]), VALUES)
LISTENERS = st.lists(st.tuples(DATA, st.sampled_from(EXPRESSIONS), st.booleans()), max_size=12)


def an_event(data, name="test/in"):
    return Event.create({"name": name, "data": data}, "id", 1000)


@given(LISTENERS, DATA)
def test_indexed_and_plain_matching_agree(listeners, incoming):
    matcher, event, expected = Matcher(), an_event(incoming), []
    for data, source, expired in listeners:
        run = Run("run", "fn", an_event(data, "test/go"), 0)
        expression = compile_expression(source) if source else None
        listener = Listener(run, "test/in", "step", expression, 1000 if expired else None)
        matcher.add(listener)
        events = {"event": run.event.payload, "async": event.payload}
        if not expired and (expression is None or expression.true(**events)):
            expected.append(listener)
    assert set(matcher.matches(event)) == set(expected)
    assert matcher.matches(an_event(incoming, "test/elsewhere")) == []


@given(LISTENERS, DATA)
def test_what_was_removed_is_not_found(listeners, incoming):
    matcher = Matcher()
    runs = []
    for data, source, _ in listeners:
        run = Run("run", "fn", an_event(data, "test/go"), 0)
        expression = compile_expression(source) if source else None
        matcher.add(Listener(run, "test/in", "step", expression, None))
        matcher.add(Listener(run, "test/in", None, expression, None))
        runs.append(run)
    for run in runs[::2]:
        matcher.remove_run(run)
    for run in runs[1::2]:
        matcher.remove_step(run, "step")
    left = matcher.matches(an_event(incoming))
    assert all(listener.hash is None and listener.run in runs[1::2] for listener in left)
