import pytest
from pydantic import BaseModel

from evals.filters import Filter
from evals.plan import Plan
from harness.errors import HarnessError


class Sample(BaseModel):
    id: str
    category: str
    tools: tuple[str, ...] = ()


SAMPLES = [
    Sample(id="a", category="single", tools=("zip", "send")),
    Sample(id="b", category="multi hop", tools=("send",)),
    Sample(id="c", category="single"),
]


def _kept(*texts):
    return [each.id for each in Plan(filters=tuple(map(Filter.parse, texts))).select(SAMPLES)]


@pytest.mark.parametrize(
    "text",
    [
        "category=multi hop",
        "category == 'multi hop'",
        'category=="multi hop"',
        " category = multi hop ",
    ],
)
def test_a_value_may_be_written_in_several_ways(text):
    assert _kept(text) == ["b"]


def test_a_list_matches_by_what_it_holds_and_an_empty_one_by_nothing():
    assert _kept("tools=send") == ["a", "b"]
    assert _kept("tools=") == ["c"]


def test_all_filters_must_match_and_the_limit_comes_after_them():
    assert _kept("category=single", "tools=zip") == ["a"]
    plan = Plan(limit=1, filters=(Filter("category", "multi hop"),))
    assert [each.id for each in plan.select(SAMPLES)] == ["b"]


def test_an_unknown_column_names_those_there_are():
    with pytest.raises(HarnessError, match=r"no column 'kind'\. They have id, category, tools"):
        _kept("kind=single")


def test_a_value_that_nothing_has_names_those_there_are():
    with pytest.raises(HarnessError, match=r"no sample matches\. There are 'multi hop', 'single'"):
        _kept("category=triple")


def test_another_form_is_refused():
    with pytest.raises(HarnessError, match="is not COLUMN=VALUE"):
        Filter.parse("category")
