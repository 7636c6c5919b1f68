import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.figures import Figure, figure
from evals.gate import COMPARISONS, parse_gate
from harness.errors import HarnessError

RUN = {
    "recall@10": Figure(value=0.62, unit="", low=0.55, high=0.69),
    "recall@10_words_none": figure(0.4, ""),
    "completed_p95_ms": figure(2500, "ms"),
    "abstain_precision": figure(float("nan"), ""),
}
GAINED = {"recall@10": Figure(value=-0.03, unit="", low=-0.05, high=-0.01)}


def missed(text, figures=RUN):
    return parse_gate(text, compared=True).missed(figures, GAINED)


def test_a_clause_that_is_missed_says_by_how_much():
    assert missed("completed_p95_ms < 2000") == ["missed: completed_p95_ms is 2500, wanted < 2000"]
    assert missed("completed_p95_ms < 3000") == []


def test_every_missed_clause_has_its_line():
    assert missed("recall@10 >= 0.7 and delta(recall@10) > -0.02, recall@10_words_none > .3") == [
        "missed: recall@10 is 0.62, wanted >= 0.7",
        "missed: delta(recall@10) is -0.03, wanted > -0.02",
    ]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("low(recall@10) > 0.5 and high(recall@10) < 0.7", True),
        ("low(recall@10) > 0.55", False),
        ("low(delta(recall@10)) > -0.06", True),
        ("high( delta( recall@10 ) ) >= 0", False),
        ("delta(recall@10) > -2e-2", False),
        ("recall@10 > 0.9 or recall@10_words_none > 0.3", True),
        # `and` binds more tightly than `or`, unless brackets say otherwise.
        ("recall@10 > 0 or recall@10 > 0 and recall@10 > 1", True),
        ("(recall@10 > 0 or recall@10 > 0) and recall@10 > 1", False),
        ("abstain_precision >= 0", False),
    ],
)
def test_conditions_hold_or_not(text, holds):
    assert (missed(text) == []) == holds


def test_when_no_alternative_holds_each_is_named():
    assert len(missed("recall@10 > 0.9 or recall@10_words_none > 0.9")) == 2


@pytest.mark.parametrize(
    "text",
    ["p95", "a <", "a < b", "", "a < 1 and", "(a < 1", "a < 1)", "low(a < 1", "a < 1 b < 1",
     "a < 1x", "__import__('os')", "abs(a) < 1", "and < 1 or", "delta(low(a)) < 1", "a = 1",
     "1 < a", "(" * 1000 + "a < 1" + ")" * 1000],
)  # fmt: skip
def test_what_cannot_be_read_is_named_in_one_line(text):
    with pytest.raises(HarnessError, match="--gate cannot read") as raised:
        parse_gate(text, compared=True)
    assert "\n" not in str(raised.value)


@given(st.text("ab@(),<>=!.0123456789- andorlowhigdelt", max_size=40))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(HarnessError):
        parse_gate(text, compared=True)


@given(st.sampled_from(sorted(COMPARISONS)), st.floats(-1e9, 1e9))
def test_a_clause_decides_as_the_comparison_does(sign, bound):
    holds = parse_gate(f"x {sign} {bound!r}").missed({"x": figure(0.5, "")}) == []
    assert holds == COMPARISONS[sign](0.5, bound)


def test_a_figure_the_run_lacks_lists_what_it_has():
    with pytest.raises(HarnessError, match="it has: errors"):
        missed("speed > 1", {"errors": figure(0, "")})


def test_an_interval_that_is_not_there_is_asked_for_in_vain():
    with pytest.raises(HarnessError, match="completed_p95_ms has none"):
        missed("low(completed_p95_ms) > 1")


def test_one_run_has_no_delta():
    with pytest.raises(HarnessError, match="harness compare"):
        parse_gate("recall@10 > 0 and delta(recall@10) > 0")
