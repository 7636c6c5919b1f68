"""The project's own set of calls: its truths stand before the checker, and nothing else does."""

import copy
import json
from collections import Counter

import pytest

from evals.datasets.functions import OfferedFunctions
from evals.datasets.loader import load_calls
from evals.metrics.calls import score_calls
from harness.models import ToolRequest
from harness.tools.execution import call_problem

ALL = load_calls("all")
CALLING = [case for case in ALL.cases if case.truth]


def first_accepted(case):
    """The calls of the truth, each argument with the first value that is accepted."""
    return [
        {
            name: {
                argument: _given(values[0])
                for argument, values in arguments.items()
                if values[0] != ""
            }
        }
        for call in case.truth
        for name, arguments in call.items()
    ]


def _given(value):
    """A value as a model gives it; in an object of the truth each has a list of accepted ones."""
    if isinstance(value, list):
        return [_given(each) for each in value]
    if isinstance(value, dict):
        return {key: _given(accepted[0]) for key, accepted in value.items() if accepted[0] != ""}
    return value


def _other(value):
    """A value of the same type that is another one."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1000
        case str():
            return f"{value} or so"
        case list():
            return [*value[:-1], _other(value[-1])]
        case dict():
            key = next(iter(value))
            return value | {key: _other(value[key])}


def test_the_set_is_large_and_of_every_kind():
    kinds = Counter(case.category for case in ALL.cases)
    assert len(ALL.cases) >= 150
    assert min(kinds.values()) >= 15
    assert set(kinds) == {
        "simple", "multiple", "parallel", "parallel_multiple", "sequence", "irrelevance",
    }  # fmt: skip


def test_each_split_has_every_kind():
    for split in ("tune", "test"):
        kinds = Counter(case.category for case in load_calls(split).cases)
        assert len(kinds) == 6
        assert min(kinds.values()) >= 5


def test_no_question_stands_twice():
    said = Counter(json.dumps(case.question) for case in ALL.cases)
    assert max(said.values()) == 1


@pytest.mark.parametrize("case", CALLING, ids=lambda case: case.id)
def test_a_truth_is_right_and_a_change_of_any_argument_wrong(case):
    calls = first_accepted(case)
    scores = score_calls(case, calls, len(calls))
    assert (scores.name, scores.ast, scores.problem) == (1, 1, None)
    for number, call in enumerate(calls):
        (name,) = call
        for argument in call[name]:
            wrong = copy.deepcopy(calls)
            wrong[number][name][argument] = _other(wrong[number][name][argument])
            assert score_calls(case, wrong, len(calls)).ast == 0, argument


@pytest.mark.parametrize("case", CALLING, ids=lambda case: case.id)
def test_a_truth_can_run_as_the_functions_are_described(case):
    functions = OfferedFunctions(case)
    offered = {spec.name: spec for spec in functions.specs}
    for call in first_accepted(case):
        for name, arguments in call.items():
            asked = ToolRequest(call_id="c", name=name, arguments=arguments)
            assert call_problem(functions.registry, offered, asked) is None


@pytest.mark.parametrize("case", CALLING, ids=lambda case: case.id)
def test_a_call_too_few_or_of_another_function_is_wrong(case):
    calls = first_accepted(case)
    assert score_calls(case, calls[:-1], len(calls)).name == 0
    assert score_calls(case, [*calls, calls[0]], len(calls)).ast == 0
    others = [each["name"] for each in case.functions if each["name"] not in calls[0]]
    for other in others:
        wrong = [{other: next(iter(calls[0].values()))}, *calls[1:]]
        assert (score_calls(case, wrong, len(calls)).name, score_calls(case, wrong, 1).ast) == (
            0,
            0,
        )


@pytest.mark.parametrize(
    "case", [case for case in ALL.cases if not case.truth], ids=lambda case: case.id
)
def test_where_nothing_fits_any_call_is_wrong(case):
    assert score_calls(case, [], 0).ast == 1
    assert score_calls(case, [], 1).ast == 0  # it could not run, and was a call all the same


@pytest.mark.parametrize(
    "case", [case for case in ALL.cases if case.category == "sequence"], ids=lambda case: case.id
)
def test_in_a_sequence_the_order_counts(case):
    calls = first_accepted(case)
    assert score_calls(case, calls, len(calls)).order == 1
    turned = score_calls(case, calls[::-1], len(calls))
    assert (turned.ast, turned.order) == (1, 0)
