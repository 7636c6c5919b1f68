from collections.abc import Sequence

import pytest

from evals.demo.script import Expectation, Turn, load
from evals.demo.talk import Said
from evals.exchange import Exchange
from evals.recorded import MessageRecord
from harness.errors import HarnessError
from harness.models import Effect, Message, ShownMemory, Status, ToolCall, ToolCallStatus


def call(name: str, status: ToolCallStatus = ToolCallStatus.SUCCEEDED) -> ToolCall:
    return ToolCall(
        call_id="c",
        message_key="k",
        turn=0,
        index=0,
        name=name,
        arguments="{}",
        effect=Effect.READ,
        idempotent=True,
        status=status,
        result='"soup"',
    )


def exchange(
    expects: Expectation,
    calls: Sequence[ToolCall] = (),
    memories: Sequence[str] = (),
    status: Status = Status.COMPLETED,
    error: str | None = None,
) -> Said:
    shown = [ShownMemory(source="memory", score=1, text=text) for text in memories]
    answer = Message(
        id="m", thread_id="t", role="assistant", content="", sent_at=0, order=1, status=status,
        shown=shown,
    )  # fmt: skip
    record = MessageRecord(key="k", assistant=answer, calls=list(calls))
    went = Exchange("?", status=status, error=error, record=record)
    return Said(Turn(text="?", expects=expects), went)


def test_an_exchange_that_went_as_expected_has_no_problems():
    expects = Expectation(tools=["list_tree"], shows="SOUP")

    assert exchange(expects, calls=[call("list_tree")]).problems(None) == []


@pytest.mark.parametrize(
    "calls", [[], [call("wait")], [call("list_tree", ToolCallStatus.FAILED)]], ids=str
)
def test_another_tool_none_or_a_failed_one_is_a_problem(calls):
    (problem,) = exchange(Expectation(tools=["list_tree"]), calls=calls).problems(None)

    assert "expected ['list_tree']" in problem


def test_a_message_that_failed_is_a_problem_that_says_why():
    went = exchange(Expectation(), status=Status.FAILED, error="the model is down")

    assert went.problems(None) == ["ended failed: the model is down"]


def test_a_memory_that_was_not_shown_is_a_problem():
    went = exchange(Expectation(recalls=0), memories=["something else"])

    assert went.problems("the fact") == ["was not shown the earlier message it refers to"]
    assert exchange(Expectation(recalls=0), memories=["the fact"]).problems("the fact") == []


def test_the_shipped_conversation_has_what_the_demo_promises():
    conversation = load()
    expected = [turn.expects for turn in conversation.messages]

    assert len(expected) >= 6
    assert sum(bool(expects.tools) for expects in expected) >= 4
    assert any(expects.recalls is not None for expects in expected)
    assert {"ask_user", "wait"} <= {tool for expects in expected for tool in expects.tools}


def test_a_conversation_file_that_is_none_is_refused_in_one_line(tmp_path):
    file = tmp_path / "talk.json"
    file.write_text("[]")

    with pytest.raises(HarnessError, match="is not a conversation"):
        load(file)
    with pytest.raises(HarnessError, match="no conversation file"):
        load(tmp_path / "missing.json")
