"""Messages of the real pipeline as MLflow traces, read back as MLflow's pages read them."""

import pytest

from evals.figures import build_document, figure
from evals.recorded import MessageRecord, Recorded
from evals.traces import log_message_traces, trace_id_of
from evals.tracking import connect, keep_run

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTE = '[[call view_file {"path": "nowhere.txt"}]]'


@pytest.fixture(scope="module")
def run_id(tracked):
    return keep_run(tracked, build_document("eval traced", {"n": figure(1, "")}, {}), name="traced")


@pytest.fixture
def traced(stack, tracked, run_id):
    """Writes the trace of a message and answers it as it is kept."""

    async def write(key):
        async with Recorded(stack.settings) as recorded:
            record = await recorded.read(key)
        again = MessageRecord.model_validate_json(record.model_dump_json())
        assert log_message_traces(tracked, run_id, [again]) == {key: trace_id_of(key)}
        return connect(tracked).get_trace(trace_id_of(key), display=False)

    return write


def named(trace, name):
    [span] = [span for span in trace.data.spans if span.name == name]
    return span


def assert_nested(trace):
    spans = {span.span_id: span for span in trace.data.spans}
    [root] = [span for span in spans.values() if span.parent_id is None]
    for span in spans.values():
        parent = spans[span.parent_id] if span is not root else root
        assert parent.start_time_ns <= span.start_time_ns <= span.end_time_ns <= parent.end_time_ns


async def test_a_message_is_a_trace_of_its_steps_model_calls_and_tool_calls(person, traced):
    draft = await person.say(await person.thread(), f"View nowhere.txt. {NOTE} [[say it is gone]]")
    answer = await person.ended(draft)
    trace = await traced(draft.key)
    assert_nested(trace)
    spans = {span.span_id: span for span in trace.data.spans}
    tree = {span.name: spans[span.parent_id].name for span in trace.data.spans if span.parent_id}
    steps = ("begin", "gather-context", "select-tools", "model-0", "model-1", "persist-response")
    assert {tree[step] for step in steps} == {"message"}
    assert (tree["tool-0-0"], tree["view_file"]) == ("view_file", "message")
    models = [span for span in trace.data.spans if span.span_type == "CHAT_MODEL"]
    assert [spans[span.parent_id].name for span in models] == ["model-0", "model-1"]
    root = named(trace, "message")
    assert root.inputs == {"messages": [{"role": "user", "content": draft.text}]}
    assert root.outputs == answer.content == "it is gone"
    assert trace.info.state == "OK"


async def test_a_model_call_says_what_it_said_asked_for_and_took(person, traced):
    draft = await person.say(await person.thread(), f"[[say first]] {NOTE} [[then]] [[say last]]")
    answer = await person.ended(draft)
    trace = await traced(draft.key)
    models = [span for span in trace.data.spans if span.span_type == "CHAT_MODEL"]
    said = "".join(span.outputs["content"] for span in models)
    assert said == answer.content
    [asked] = models[0].outputs["tool_calls"]
    assert asked["function"] == {"name": "view_file", "arguments": '{"path": "nowhere.txt"}'}
    assert models[0].start_time_ns < models[0].end_time_ns <= models[1].start_time_ns
    tokens = [span.attributes["mlflow.chat.tokenUsage"] for span in models]
    kept = trace.info.token_usage
    assert kept["input_tokens"] == sum(each["input_tokens"] for each in tokens)
    assert kept["output_tokens"] == answer.usage.completion_tokens


async def test_a_tool_call_has_its_arguments_and_its_error(person, traced):
    draft = await person.say(await person.thread(), f"View nowhere.txt. {NOTE} [[say gone]]")
    await person.ended(draft)
    [call] = await person.calls(draft)
    span = named(await traced(draft.key), "view_file")
    assert (span.span_type, span.inputs) == ("TOOL", {"path": "nowhere.txt"})
    assert span.status.status_code == "ERROR"
    assert span.status.description == call.error


async def test_what_was_retrieved_is_a_list_of_documents(person, traced):
    draft = await person.say(await person.thread(), "[[say fine]]")
    answer = await person.ended(draft)
    span = named(await traced(draft.key), "shown")
    assert span.span_type == "RETRIEVER"
    assert [each["page_content"] for each in span.outputs] == [each.text for each in answer.shown]


async def test_a_failed_message_has_a_trace_with_the_step_that_failed(person, traced):
    draft = await person.say(await person.thread(), "Hello", model="simulated?nonsense=1")
    answer = await person.ended(draft)
    trace = await traced(draft.key)
    assert_nested(trace)
    assert trace.info.state == "ERROR"
    assert named(trace, "message").status.description == answer.error.message
    assert named(trace, "model-0").status.status_code == "ERROR"
    assert named(trace, "gather-context").status.status_code == "OK"


async def test_a_cancelled_message_has_a_trace_of_what_there_is(person, traced, hold):
    draft = person.draft(await person.thread(), "[[say one]]")
    held = hold(draft.key, "model-0:before")
    await person.send(draft)
    await held.reached()
    await person.client.cancel(draft.key)
    held.release()
    await person.ended(draft)
    trace = await traced(draft.key)
    assert named(trace, "message").status.description == "cancelled"
    assert trace.info.tags["status"] == "cancelled"


async def test_a_run_finds_its_traces_and_writing_one_again_changes_nothing(
    person, traced, tracked, run_id
):
    draft = await person.say(await person.thread(), "[[say once]]")
    await person.ended(draft)
    first = await traced(draft.key)
    again = await traced(draft.key)
    assert [span.to_dict() for span in again.data.spans] == [
        span.to_dict() for span in first.data.spans
    ]
    found = connect(tracked).search_traces(
        locations=[again.info.experiment_id], run_id=run_id, include_spans=False
    )
    assert [each.info.client_request_id for each in found].count(draft.key) == 1
