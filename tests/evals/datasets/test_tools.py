import pytest
from jsonschema import Draft202012Validator

from evals.datasets.loader import load_tools


@pytest.fixture(scope="module")
def tools():
    return load_tools(split="all")


def test_the_catalogue_is_large_enough(tools):
    assert len(tools.tools) >= 28


def test_there_are_enough_queries(tools):
    assert len(tools.queries) >= 130
    assert len(load_tools(split="test").queries) >= 120


@pytest.mark.parametrize("split", ["tune", "test"])
def test_a_quarter_of_the_queries_need_no_tool(split):
    queries = load_tools(split=split).queries
    assert 0.25 <= sum(not query.tools for query in queries) / len(queries) <= 0.4


@pytest.mark.parametrize("split", ["tune", "test"])
def test_every_tool_is_wanted_in_every_split(split):
    data = load_tools(split=split)
    assert {tool.name for tool in data.tools} == {
        name for query in data.queries for name in query.tools
    }


def test_no_text_stands_in_two_queries(tools):
    texts = [query.text.casefold() for query in tools.queries]
    assert len(texts) == len(set(texts))


def test_parameters_are_json_schemas(tools):
    for tool in tools.tools:
        Draft202012Validator.check_schema(tool.parameters)
        assert set(tool.parameters["required"]) <= set(tool.parameters["properties"])


def test_no_query_names_a_tool(tools):
    names = {tool.name for tool in tools.tools if "_" in tool.name}
    assert not [query.id for query in tools.queries if any(n in query.text for n in names)]
