from hypothesis import given
from hypothesis import strategies as st

from harness.context.gather import GatheredContext
from harness.llm.answer import Answer, Ceilings
from harness.llm.turns import CallOutcome, TurnResult
from harness.models import ToolRequest, Usage
from harness.settings import ModelPrice
from harness.tools.registry import ToolSpec

LOOK = ToolSpec(name="look", description="Look.", parameters={})
PRICE = {"dear": ModelPrice(prompt=1_000_000, completion=0)}  # one a prompt token


def answer(tools=(LOOK,), **ceilings) -> Answer:
    most = {"turns": 6, "calls": 32, "cost": None, "prices": PRICE, **ceilings}
    return Answer(Ceilings(**most), "key", "hi", GatheredContext(), list(tools))


def said(answer: Answer, *wrong: bool, model="dear", tokens=0) -> None:
    """Adds a turn with a call for each of `wrong`."""
    answer.next_turn()
    calls = [ToolRequest(call_id=str(n), name="look") for n in range(len(wrong))]
    outcomes = [
        CallOutcome(call_id=str(n), name="look", ok=not bad, content="", wrong=bad)
        for n, bad in enumerate(wrong)
    ]
    usage = Usage(prompt_tokens=tokens)
    answer.add(TurnResult(text="", tool_calls=calls, usage=usage, model=model), outcomes)


def test_an_answer_without_calls_is_finished():
    given_answer = answer()
    assert not given_answer.finished
    said(given_answer)
    assert given_answer.finished
    assert given_answer.withheld is None


def test_the_last_turn_has_no_tools():
    limited = answer(turns=2)
    assert limited.next_turn().tools == [LOOK]
    said(limited, False)
    request = limited.next_turn()
    assert (request.tools, request.max_calls, limited.withheld) == ([], 0, "turns")


def test_a_turn_may_make_as_many_calls_as_are_left():
    limited = answer(calls=3)
    said(limited, False, False)
    assert limited.next_turn().max_calls == 1
    said(limited, False)
    request = limited.next_turn()
    assert (request.tools, request.max_calls, limited.withheld) == ([], 0, "calls")


def test_a_turn_over_the_cost_is_the_last_with_tools():
    limited = answer(cost=10)
    said(limited, False, tokens=9)
    assert limited.next_turn().tools == [LOOK]
    said(limited, False, tokens=1)
    assert limited.next_turn().tools == []
    assert limited.withheld == "cost"


def test_a_model_without_a_price_reaches_no_cost():
    limited = answer(cost=10)
    said(limited, False, model="free", tokens=1000)
    assert limited.next_turn().tools == [LOOK]


def test_each_turn_is_priced_by_its_own_model():
    limited = answer(cost=10)
    said(limited, False, model="dear", tokens=10)
    said(limited, False, model="free", tokens=1000)
    assert limited.next_turn().tools == []


def test_a_wrong_call_gets_a_turn_for_its_repair():
    repairing = answer()
    said(repairing, True, False)
    request = repairing.next_turn()
    assert request.repairs
    assert request.tools == [LOOK]
    said(repairing, False)
    assert not repairing.next_turn().repairs
    assert repairing.repairs == 1


def test_a_second_wrong_call_in_succession_ends_in_the_answer():
    failing = answer()
    said(failing, True)
    said(failing, True)
    request = failing.next_turn()
    assert (request.tools, request.repairs, failing.withheld) == ([], False, "repair")
    said(failing)
    assert failing.finished
    assert failing.repairs == 1


def test_a_call_that_is_wrong_later_gets_its_own_repair():
    later = answer()
    for wrong in (True, False, True):
        said(later, wrong)
    assert later.next_turn().repairs


def test_a_repair_is_a_turn_like_others():
    limited = answer(turns=2)
    said(limited, True)
    request = limited.next_turn()
    assert (request.repairs, request.tools, limited.withheld) == (False, [], "turns")


def test_nothing_is_withheld_where_no_tool_fits():
    plain = answer(tools=(), turns=1)
    said(plain)
    assert plain.withheld is None


TURNS = st.lists(st.lists(st.booleans(), min_size=1, max_size=5), min_size=1, max_size=12)


@given(TURNS, st.integers(1, 8), st.integers(1, 12), st.integers(1, 40))
def test_no_ceiling_is_crossed_and_every_answer_ends(turns, most_turns, most_calls, most_cost):
    limited = answer(turns=most_turns, calls=most_calls, cost=most_cost)
    calls = spent = 0
    in_succession = 0
    for wanted in turns:
        if limited.finished:
            break
        request = limited.next_turn()
        before = spent
        made = wanted[: request.max_calls] if request.tools else []
        assert not made or before < most_cost
        said(limited, *made, tokens=5)
        calls, spent = calls + len(made), spent + 5
        in_succession = in_succession + 1 if any(made) else 0
        assert in_succession <= 2
    assert limited.turn <= most_turns
    assert calls <= most_calls
    if len(turns) >= most_turns:
        assert limited.finished
