import asyncio
import json
import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.models import Effect, ToolRequest
from harness.tools._trim import trim
from harness.tools.builtin import BUILTIN
from harness.tools.context import ToolContext
from harness.tools.errors import ToolError, ToolUnavailable
from harness.tools.execution import MAX_RESULT_CHARS, call_problem, check_arguments, run_tool
from harness.tools.registry import Registry, tool

read = tool(effect=Effect.READ, examples=[])


@read
def double(number: int) -> int:
    """Double a number."""
    return number * 2


@read
async def whoami(*, context: ToolContext) -> str:
    """Tell the user."""
    return context.user_id


@read
def refuse() -> None:
    """Refuse."""
    raise ToolError("the drawer is locked; name another")


@read
def unreachable() -> None:
    """Reach for what is down."""
    raise ToolUnavailable("the printer does not answer")


@read
def crash() -> None:
    """Crash."""
    raise RuntimeError("password=hunter2")


@tool(effect=Effect.READ, examples=[], timeout_s=0.01)
async def hang() -> None:
    """Hang."""
    await asyncio.Event().wait()


@read
def where() -> bool:
    """Tell whether this is the loop's thread."""
    return threading.current_thread() is threading.main_thread()


@read
def bulky() -> str:
    """Say much."""
    return "word " * 10_000


@read
def odd() -> object:
    """Give what is no JSON."""
    return {1, 2}


REGISTRY = Registry([double, whoami, refuse, unreachable, crash, hang, where, bulky, odd])


async def test_arguments_reach_the_tool_in_their_types(context):
    result = await run_tool(REGISTRY, "double", {"number": "21"}, context)
    assert (result.ok, result.value, result.error) == (True, 42, None)


async def test_a_tool_knows_its_run(context):
    assert (await run_tool(REGISTRY, "whoami", {}, context)).value == context.user_id


async def test_a_plain_function_runs_off_the_loop(context):
    assert (await run_tool(REGISTRY, "where", {}, context)).value is False


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("missing", {}, "there is no tool 'missing' at present"),
        ("double", {}, "double was given wrong arguments: number: Field required"),
        ("double", {"number": "two"}, "number: Input should be a valid integer"),
        ("double", {"number": 1, "by": 3}, "by: Extra inputs are not permitted"),
        ("refuse", {}, "the drawer is locked; name another"),
        ("hang", {}, "hang gave no result in 0.01 s"),
    ],
)
async def test_what_goes_wrong_is_a_result_that_says_so(context, name, arguments, says):
    result = await run_tool(REGISTRY, name, arguments, context)
    assert not result.ok
    assert says in result.error


@pytest.mark.parametrize(
    ("name", "passing"),
    [("refuse", False), ("missing", False), ("unreachable", True), ("hang", True), ("crash", True)],
)
async def test_what_another_try_may_mend_is_told_apart(context, name, passing):
    assert (await run_tool(REGISTRY, name, {}, context)).passing is passing


OFFERED = {"double": double.spec}


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"name": "double", "arguments": {"number": "two"}}, "number: Input should be a valid"),
        ({"name": "double", "error": "the arguments of double are not JSON"}, "not JSON"),
        ({"name": "whoami"}, "there is no tool 'whoami'; there are: double"),
        ({"name": "teleport"}, "there is no tool 'teleport'; there are: double"),
    ],
)
def test_a_call_that_can_not_run_says_why(call, says):
    assert says in call_problem(REGISTRY, OFFERED, ToolRequest(call_id="c", **call))


@given(st.text(), st.dictionaries(st.text(max_size=5), st.integers(), max_size=2))
def test_what_was_not_offered_has_a_problem_whatever_it_is_called(name, arguments):
    call = ToolRequest(call_id="c", name=name, arguments=arguments)
    assert call_problem(REGISTRY, {}, call) is not None
    if name not in OFFERED:
        assert call_problem(REGISTRY, OFFERED, call) is not None


def test_an_offered_tool_that_went_away_since_is_no_fault_of_the_model():
    call = ToolRequest(call_id="c", name="double", arguments={"number": 1})
    assert call_problem(Registry(), OFFERED, call) is None


async def test_a_crash_is_logged_and_not_told(context, caplog):
    with caplog.at_level(logging.ERROR):
        result = await run_tool(REGISTRY, "crash", {}, context)
    assert result.error == "crash failed unexpectedly; the log says why"
    assert "crash failed in call call" in caplog.text


async def test_what_is_no_json_is_a_failure(context):
    assert (await run_tool(REGISTRY, "odd", {}, context)).ok is False


async def test_a_long_result_is_cut_and_says_so(context):
    result = await run_tool(REGISTRY, "bulky", {}, context)
    assert len(json.dumps(result.value)) <= MAX_RESULT_CHARS
    assert result.value.endswith("of 50000 characters shown]")


async def test_cancelling_the_run_cancels_the_tool(context):
    registry = Registry([tool(effect=Effect.READ, examples=[])(hang.function)])
    running = asyncio.create_task(run_tool(registry, "hang", {}, context))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_what_the_run_carries_out_itself_is_not_run_here(context):
    result = await run_tool(Registry(BUILTIN), "wait", {"seconds": 1}, context)
    assert result.error == "wait is carried out by the run itself"


def test_arguments_can_be_checked_without_running():
    registry = Registry(BUILTIN)
    assert check_arguments(registry, "wait", {"seconds": "90"}) == ({"seconds": 90}, None)
    arguments, wrong = check_arguments(registry, "wait", {"seconds": 0})
    assert arguments is None
    assert "seconds: Input should be greater than or equal to 1" in wrong


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=30,
)


@given(JSON, st.integers(100, 2000))
def test_a_trimmed_result_fits(value, limit):
    assert len(json.dumps(trim(value, limit), ensure_ascii=False)) <= limit


@given(JSON)
def test_a_result_that_fits_is_left_alone(value):
    size = len(json.dumps(value, ensure_ascii=False))
    assert trim(value, max(size, 100)) == value
