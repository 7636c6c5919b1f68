import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from evals.scorers import RULES, AnyScorer, File, Number, Outcome, Rubric
from evals.scorers.json_schema import json_values
from evals.scorers.number import numbers_in
from harness.models import Effect, ToolCall, ToolCallStatus

READ = TypeAdapter(AnyScorer)


def score(rule: dict, answer: str = "", **given: object) -> float:
    return READ.validate_python(rule).score(Outcome("?", answer, **given))


def call(name: str, status: str = "succeeded") -> ToolCall:
    return ToolCall(
        call_id="c",
        message_key="k",
        turn=0,
        index=0,
        name=name,
        arguments="{}",
        effect=Effect.READ,
        idempotent=True,
        status=ToolCallStatus(status),
    )


def test_every_rule_is_read_by_the_name_it_is_registered_under():
    minimal = {
        "exact": {"texts": ["a"]},
        "contains": {"any": ["a"]},
        "regex": {"pattern": "a"},
        "json-schema": {"schema": {}},
        "number": {"value": 1},
        "tools": {"only": True},
        "file": {"path": "a/b"},
    }
    assert minimal.keys() == RULES.keys()
    for name, parameters in minimal.items():
        assert type(READ.validate_python({"scorer": name, **parameters})) is RULES[name]
    assert isinstance(READ.validate_python({"scorer": "rubric", "rubric": "It is."}), Rubric)


@pytest.mark.parametrize(
    "rule",
    [
        {"scorer": "exact", "texts": []},
        {"scorer": "contains"},
        {"scorer": "contains", "all": [" "]},
        {"scorer": "regex", "pattern": "("},
        {"scorer": "regex", "pattern": r"(?=a)"},  # RE2 has none
        {"scorer": "json-schema", "schema": {"type": "text"}},
        {"scorer": "number", "value": 0, "relative": 0.1},
        {"scorer": "number", "value": 1, "absolute": -1},
        {"scorer": "number", "value": "nan"},
        {"scorer": "tools"},
        {"scorer": "file", "path": "../outside/a"},
        {"scorer": "file", "path": "/etc/passwd"},
        {"scorer": "file", "path": "a/b", "holds": "x", "absent": True},
        {"scorer": "number", "value": 1, "tolerance": 2},
        {"scorer": "bleu"},
    ],
    ids=json.dumps,
)
def test_a_rule_with_wrong_parameters_is_refused(rule):
    with pytest.raises(ValidationError):
        READ.validate_python(rule)


@pytest.mark.parametrize(
    ("rule", "answer", "expected"),
    [
        ({"scorer": "exact", "texts": ["Lima"]}, "**Lima**.", 1),
        ({"scorer": "exact", "texts": ["Lima"]}, "It is Lima.", 0),
        ({"scorer": "contains", "all": ["Noor", "Ivo"], "none": ["Piet"]}, "Ivo and Noor", 1),
        ({"scorer": "contains", "all": ["Noor", "Ivo"]}, "Ivo", 0),
        ({"scorer": "contains", "all": ["Noor"], "none": ["Piet"]}, "Noor, Piet", 0),
        ({"scorer": "contains", "any": ["2", "two"]}, "There are two.", 1),
        ({"scorer": "contains", "any": ["2", "two"]}, "There are 20.", 0),
        ({"scorer": "regex", "pattern": r"\d{1,2}:\d{2}"}, "It is 9:05.", 1),
        ({"scorer": "regex", "pattern": r"\d{1,2}:\d{2}"}, "It is nine.", 0),
    ],
)
def test_texts(rule, answer, expected):
    assert score(rule, answer) == expected


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,234.50 and -3 and $5", [1234.5, -3, 5]),
        ("17*23=391.", [17, 23, 391]),
        ("3-5 people", [3, 5]),
        ("(−7), .5, 1e-3", [-7, 0.5, 0.001]),
        ("€1,200 or 1,234,567", [1200, 1234567]),
        ("v2.1 of B5", []),
        ("10,20", [10, 20]),
        ("no digit", []),
    ],
)
def test_numbers_are_read_as_english_writes_them(text, numbers):
    assert numbers_in(text) == pytest.approx(numbers)


@given(st.integers(-(10**12), 10**12), st.sampled_from(["{}", "{:,}", "It is {:,}.", "**{}**"]))
def test_a_written_number_is_read_back(value, form):
    assert numbers_in(form.format(value)) == [value]


@given(
    st.floats(1e-6, 1e9),
    st.floats(0, 0.5),
    st.floats(-1, 1),
)
def test_a_number_is_accepted_exactly_within_its_tolerance(value, relative, off):
    rule = Number(value=value, relative=relative)
    number = value * (1 + off)
    distance, reach = abs(number - value), relative * value
    if abs(distance - reach) > 1e-8 * value:  # on the edge, the last bits decide
        assert rule.accepts(number) is (distance < reach)


def test_the_wider_tolerance_counts():
    assert Number(value=100, absolute=1, relative=0.05).accepts(104)
    assert Number(value=100, absolute=5, relative=0.01).accepts(104)
    assert not Number(value=100).accepts(100.001)


SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"n": 1}', 1),
        ('Here it is:\n```json\n{"n": 1}\n```', 1),
        ('{"n": "1"}', 0),
        ('{"n": 1', 0),
        ("no JSON", 0),
        ('[1] and {"n": 1}', 0),  # the first one counts
    ],
)
def test_json_is_found_and_validated(answer, expected):
    assert score({"scorer": "json-schema", "schema": SCHEMA}, answer) == expected


json_text = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.text(), json_text, max_size=3) | st.lists(json_text, max_size=3),
    st.text("ab \n`:.,", max_size=9),
)
def test_json_is_found_whatever_words_stand_around_it(value, around):
    assert list(json_values(f"{around}{json.dumps(value)}{around}")) == [value]


@pytest.mark.parametrize(
    ("rule", "calls", "expected"),
    [
        ({"names": ["a"]}, ["a", "b"], 1),
        ({"names": ["a"]}, ["b"], 0),
        ({"names": ["a|b"]}, ["b"], 1),
        ({"names": ["a", "a"]}, ["a"], 0),
        ({"names": ["b", "a"]}, ["a", "b"], 1),
        ({"names": ["b", "a"], "ordered": True}, ["a", "b"], 0),
        ({"names": ["a", "c"], "ordered": True}, ["a", "b", "c"], 1),
        ({"names": ["a"], "only": True}, ["a", "a"], 1),
        ({"names": ["a"], "only": True}, ["a", "b"], 0),
        ({"only": True}, [], 1),
        ({"only": True}, ["a"], 0),
    ],
)
def test_tools(rule, calls, expected):
    assert score({"scorer": "tools", **rule}, calls=[call(name) for name in calls]) == expected


def test_a_call_must_have_ended_as_it_should():
    failed, denied = call("a", "failed"), call("a", "denied")
    assert score({"scorer": "tools", "names": ["a"]}, calls=[failed]) == 0
    assert score({"scorer": "tools", "names": ["a"]}, calls=[failed, call("a")]) == 1
    assert score({"scorer": "tools", "names": ["a"], "status": "denied"}, calls=[denied]) == 1


def test_files_of_the_workspace(tmp_path):
    (tmp_path / "shed").mkdir()
    (tmp_path / "shed" / "todo.txt").write_text("Fetch the ladder")
    for rule, expected in [
        ({"holds": "the LADDER"}, 1),
        ({"holds": "the saw"}, 0),
        ({}, 1),
        ({"absent": True}, 0),
    ]:
        given = {"scorer": "file", "path": "shed/todo.txt", **rule}
        assert score(given, workspace=tmp_path) == expected
    assert score({"scorer": "file", "path": "shed/x", "absent": True}, workspace=tmp_path) == 1
    assert score({"scorer": "file", "path": "shed/x"}, workspace=tmp_path) == 0


def test_a_workspace_out_of_reach_is_no_score():
    with pytest.raises(ValueError, match="no workspace"):
        File(path="a/b").score(Outcome("?", ""))
