import re
from collections import Counter
from itertools import combinations

import pytest
from jsonschema import Draft202012Validator

from evals.datasets.loader import load_tools

COMMON_WORDS = {"from", "have", "into", "some", "that", "them", "this", "what", "which", "with"}


def words(text):
    return set(re.findall(r"[a-z]{4,}", text.casefold())) - COMMON_WORDS


def normalised(text):
    return " ".join(re.findall(r"\w+", text.casefold()))


@pytest.fixture(scope="module")
def tools():
    return load_tools(split="all")


def test_the_catalogue_is_large_enough(tools):
    assert len(tools.tools) >= 60


def test_there_are_enough_queries(tools):
    assert len(tools.queries) >= 620
    assert len(load_tools(split="tune").queries) >= 240
    assert len(load_tools(split="test").queries) >= 400


@pytest.mark.parametrize("split", ["tune", "test"])
def test_a_quarter_of_the_queries_need_no_tool(split):
    queries = load_tools(split=split).queries
    assert 0.25 <= sum(not query.tools for query in queries) / len(queries) <= 0.4


@pytest.mark.parametrize("split", ["tune", "test"])
def test_some_queries_need_two_tools(split):
    queries = load_tools(split=split).queries
    assert 0.1 <= sum(len(query.tools) == 2 for query in queries) / len(queries) <= 0.25
    assert all(len(query.tools) == len(set(query.tools)) <= 2 for query in queries)


@pytest.mark.parametrize("split", ["tune", "test"])
def test_every_tool_is_wanted_in_every_split(split):
    data = load_tools(split=split)
    wanted = Counter(name for query in data.queries for name in query.tools)
    assert min(wanted[tool.name] for tool in data.tools) >= 2


def test_every_tool_is_wanted_often_enough(tools):
    wanted = Counter(name for query in tools.queries for name in query.tools)
    assert min(wanted[tool.name] for tool in tools.tools) >= 6


def test_most_tools_have_a_near_duplicate(tools):
    near = set()
    for one, other in combinations(tools.tools, 2):
        if len(words(one.description) & words(other.description)) >= 2:
            near |= {one.name, other.name}
    assert len(near) >= 0.6 * len(tools.tools)


def test_many_queries_avoid_the_words_of_the_description_they_need(tools):
    described = {
        tool.name: words(f"{tool.name.replace('_', ' ')} {tool.description}")
        for tool in tools.tools
    }
    needing = [query for query in tools.queries if query.tools]
    apart = [q for q in needing if not any(words(q.text) & described[name] for name in q.tools)]
    assert len(apart) >= 0.2 * len(needing)


def test_no_text_stands_in_two_queries(tools):
    texts = [normalised(query.text) for query in tools.queries]
    assert len(texts) == len(set(texts))


def test_the_splits_share_no_text():
    tune, test = (
        {normalised(query.text) for query in load_tools(split=split).queries}
        for split in ("tune", "test")
    )
    assert not tune & test


def test_parameters_are_json_schemas(tools):
    for tool in tools.tools:
        Draft202012Validator.check_schema(tool.parameters)
        assert set(tool.parameters["required"]) <= set(tool.parameters["properties"])


def test_every_argument_is_described(tools):
    for tool in tools.tools:
        assert all(p["description"] for p in tool.parameters["properties"].values()), tool.name


def test_no_query_names_a_tool(tools):
    names = {tool.name for tool in tools.tools if "_" in tool.name}
    assert not [query.id for query in tools.queries if any(n in query.text for n in names)]
