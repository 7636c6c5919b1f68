"""Functions of a set as tools, of the project's own form and of BFCL's."""

import pytest

from evals.datasets.functions import NAME_CHARS, OfferedFunctions
from evals.datasets.loader import CallCase, DatasetError, load_calls
from evals.metrics.bfcl_checker import as_bfcl
from evals.metrics.calls import score_calls

SHARE = 25  # of BFCL's cases one is taken; all of them take 12 s


def case(*functions, category="simple", truth=()):
    question = (({"role": "user", "content": "Do it"},),)
    return CallCase(
        id="x", split="test", category=category, question=question, functions=functions,
        truth=truth,
    )  # fmt: skip


def function(name="do.it", **properties):
    parameters = {"type": "dict", "properties": properties, "required": list(properties)}
    return {"name": name, "description": "Does it.", "parameters": parameters}


def test_types_become_those_of_json_schema_at_every_depth():
    inner = {"type": "dict", "properties": {"type": {"type": "float"}}}
    offered = OfferedFunctions(
        case(function(a={"type": "array", "items": inner}, b={"type": "any"}, c={}))
    )
    properties = offered.specs[0].parameters["properties"]
    assert properties["a"]["items"]["type"] == "object"
    assert properties["a"]["items"]["properties"]["type"]["type"] == "number"
    assert (properties["b"]["type"], properties["c"]["type"]) == ("string", "string")


def test_types_of_json_schema_become_those_of_the_checker_and_nothing_else_does():
    schema = {"type": "object", "properties": {"type": {"type": "number", "default": "number"}}}
    assert as_bfcl(schema) == {
        "type": "dict", "properties": {"type": {"type": "float", "default": "number"}},
    }  # fmt: skip


def test_names_are_of_the_characters_that_models_take_and_lead_back():
    long = f"package.{'x' * 80}"
    offered = OfferedFunctions(case(function("do.it"), function(long)))
    names = [spec.name for spec in offered.specs]
    assert names[0] == "do_it"
    assert len(names[1]) == NAME_CHARS
    assert [offered.own_name(name) for name in names] == ["do.it", long]
    assert offered.own_name("unknown") == "unknown"


def test_two_functions_that_a_model_could_not_tell_apart_are_refused():
    with pytest.raises(DatasetError, match="case 'x': two functions are named 'do_it'"):
        OfferedFunctions(case(function("do.it"), function("do_it")))


def test_what_is_no_schema_is_refused_by_name():
    with pytest.raises(DatasetError, match="case 'x': the parameters of do_it"):
        OfferedFunctions(case(function(a={"type": "string", "minLength": "long"})))


def test_another_language_s_values_are_strings_of_its_literals():
    java = case(
        function(n={"type": "long", "description": "How many"}),
        category="simple_java",
        truth=({"do.it": {"n": [5]}},),
    )
    told = OfferedFunctions(java).specs[0].parameters["properties"]["n"]
    assert told == {
        "type": "string", "description": "How many (java long, written as a literal)",
    }  # fmt: skip
    assert score_calls(java, [{"do.it": {"n": "5L"}}], 1).ast == 1
    assert score_calls(java, [{"do.it": {"n": 5}}], 1).ast == 0


def test_arguments_of_a_shape_that_the_checker_does_not_expect_are_wrong():
    odd = case(
        function(a={"type": "array", "items": {"type": "dict"}}),
        truth=({"do.it": {"a": [[{"k": [1]}]]}},),
    )
    scores = score_calls(odd, [{"do.it": {"a": ["k"]}}], 1)
    assert scores.ast == 0
    assert scores.problem


def test_every_case_of_bfcl_can_be_offered_and_no_call_is_right_only_where_none_is_wanted():
    cases = load_calls("all", name="bfcl").cases
    assert len(cases) == 3641
    for each in cases[::SHARE]:
        assert len(OfferedFunctions(each).specs) == len(each.functions)
        assert score_calls(each, [], 0).ast == ("irrelevance" in each.category)
