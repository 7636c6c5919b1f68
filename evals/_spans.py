"""One message as a tree of spans, made of what the pipeline recorded about it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from evals.recorded import MessageRecord
from harness.models import Message, Status, ToolCall, ToolCallStatus
from harness.telemetry.analytics import Props
from harness.telemetry.endings import ModelCall, read_model_calls

NAME = "message"
_CALL_STEP = re.compile(r"tool-(\d+)-(\d+)(?:-.+)?")  # the steps of a turn's call, by their numbers
_GATHER = "gather-context"
_SELECT = "select-tools"
_PERSIST = "persist-response"


@dataclass
class Drawn:
    """A span to be: times in milliseconds UTC, children within their parent.

    Attributes:
        kind: MLflow's span type.
        error: why it failed; None when it did not.
    """

    name: str
    kind: str
    start_ms: float
    end_ms: float
    inputs: Any = None
    outputs: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    children: list["Drawn"] = field(default_factory=list)

    def walk(self, path: str = "") -> Iterator[tuple[str, str | None, "Drawn"]]:
        """Every span with its own path and its parent's; parents first."""
        yield path, None, self
        for number, child in enumerate(self.children):
            for place, parent, span in child.walk(f"{path}/{number}"):
                yield place, path if parent is None else parent, span


def draw_message(record: MessageRecord) -> Drawn:
    """The span of a message, with its steps, model calls, tool calls and what was retrieved.

    What ended without a record (cancelled, or with a run that died) has its tool calls only.

    Args:
        record: of the message.
    """
    sent_ms = float(record.user.sent_at if record.user else 0)
    steps = _steps(record.props, sent_ms)
    children = [_tool_span(call, steps) for call in record.calls]
    children += [_step_span(step, record, sent_ms) for step in steps if not _of_a_call(step.name)]
    children += _persisted(record, sent_ms)
    answer = record.assistant
    ends = [child.end_ms for child in children]
    ends.append(float(answer.finished_at) if answer and answer.finished_at else sent_ms)
    root = Drawn(
        NAME,
        "AGENT",
        sent_ms,
        max(ends),
        inputs={"messages": [{"role": "user", "content": record.user.content}]}
        if record.user
        else None,
        outputs=answer.content if answer else None,
        attributes=_about(record),
        error=_error(answer),
        children=sorted(children, key=lambda child: child.start_ms),
    )
    _fit(root)
    return root


def _steps(props: Props, sent_ms: float) -> list[Drawn]:
    """The steps as they were recorded, in their order."""
    found = []
    for name in (key[len("step.") : -len(".ms")] for key in props if key.endswith(".ms")):
        start_ms = sent_ms + float(props[f"step.{name}.at_ms"])
        error = props.get(f"step.{name}.error")
        end_ms = start_ms + float(props[f"step.{name}.ms"])
        found.append(
            Drawn(name, "TASK", start_ms, end_ms, error=None if error is None else str(error))
        )
    return sorted(found, key=lambda step: step.start_ms)


def _step_span(step: Drawn, record: MessageRecord, sent_ms: float) -> Drawn:
    answer = record.assistant
    if step.name == _GATHER and answer is not None:
        step.children = [_retrieval(step, record, answer)]
        step.outputs = answer.context.model_dump(mode="json") if answer.context else None
    if step.name == _SELECT and answer is not None and answer.selection is not None:
        step.outputs = answer.selection.model_dump(mode="json")
        step.attributes["offered"] = record.props.get("tools_offered", "")
    before = 0
    for turn, call in enumerate(read_model_calls(record.props)):
        if call.step == step.name:
            text = (answer.content if answer else "")[before : before + call.characters]
            step.children = [_model_span(step, turn, call, text, record, sent_ms)]
        before += call.characters
    return step


def _model_span(
    step: Drawn, turn: int, call: ModelCall, text: str, record: MessageRecord, sent_ms: float
) -> Drawn:
    start_ms = step.start_ms if call.at_ms is None else sent_ms + call.at_ms
    asked = [each for each in record.calls if each.turn == turn]
    return Drawn(
        call.model,
        "CHAT_MODEL",
        start_ms,
        start_ms + call.duration_ms,
        # Its whole prompt is not kept, only how it was filled.
        inputs={"message": record.user.content if record.user else "", "turn": turn},
        outputs={
            "role": "assistant",
            "content": text,
            "tool_calls": [
                {
                    "id": each.call_id,
                    "type": "function",
                    "function": {"name": each.name, "arguments": each.arguments},
                }
                for each in asked
            ],
        },
        attributes={
            "mlflow.llm.model": call.model,
            "mlflow.chat.tokenUsage": {
                "input_tokens": call.prompt_tokens,
                "output_tokens": call.completion_tokens,
                "total_tokens": call.prompt_tokens + call.completion_tokens,
                "cache_read_input_tokens": call.cached_tokens,
            },
            "ttft_ms": call.ttft_ms,
        },
    )


def _retrieval(step: Drawn, record: MessageRecord, answer: Message) -> Drawn:
    documents = [
        {
            "id": shown.id,
            "page_content": shown.text,
            "metadata": {
                "source": shown.source,
                "score": shown.score,
                "title": shown.title,
                "thread_id": shown.thread_id,
                "order": shown.order,
                "why": shown.why,
            },
        }
        for shown in answer.shown
    ]
    asked = record.user.content if record.user else ""
    return Drawn("shown", "RETRIEVER", step.start_ms, step.end_ms, {"query": asked}, documents)


def _tool_span(call: ToolCall, steps: list[Drawn]) -> Drawn:
    """A call with all of its steps: asking for permission or waiting takes several."""
    own = [step for step in steps if _of_a_call(step.name) == (call.turn, call.index)]
    starts = [step.start_ms for step in own]
    ends = [step.end_ms for step in own]
    if call.started_at is not None:
        starts.append(call.started_at)
        ends.append(call.finished_at or call.started_at)
    done = call.status is ToolCallStatus.SUCCEEDED
    result = None if call.result is None else _json(call.result)
    return Drawn(
        call.name,
        "TOOL",
        min(starts, default=0.0),
        max(ends, default=0.0),
        inputs=_json(call.arguments),
        outputs=result,
        attributes={
            "call_id": call.call_id,
            "status": call.status.value,
            "effect": call.effect.value,
            "chosen_by": call.chosen_by,
        },
        error=None if done else call.error or call.status.value,
        children=own,
    )


def _persisted(record: MessageRecord, sent_ms: float) -> list[Drawn]:
    """The step that keeps the answer; it writes the record, so it is not in it."""
    answer = record.assistant
    if answer is None or answer.latency_ms is None or answer.finished_at is None:
        return []
    return [Drawn(_PERSIST, "TASK", sent_ms + answer.latency_ms, float(answer.finished_at))]


def _about(record: MessageRecord) -> dict[str, Any]:
    answer = record.assistant
    known = ("model", "turns", "repairs", "tools_offered", "tools_withheld", "ttft_ms", "cost")
    return {
        "message_key": record.key,
        "thread_id": answer.thread_id if answer else None,
        "status": answer.status.value if answer else Status.PENDING.value,
        **{name: record.props[name] for name in known if name in record.props},
    }


def _error(answer: Message | None) -> str | None:
    if answer is None:
        return "its run never began"
    if answer.status is Status.COMPLETED:
        return None
    return answer.error.message if answer.error else answer.status.value


def _of_a_call(step: str) -> tuple[int, int] | None:
    found = _CALL_STEP.fullmatch(step)
    return (int(found[1]), int(found[2])) if found else None


def _fit(parent: Drawn) -> None:
    """Keep every child within its parent: their times come from two machines' clocks."""
    for child in parent.children:
        child.start_ms = min(max(child.start_ms, parent.start_ms), parent.end_ms)
        child.end_ms = min(max(child.end_ms, child.start_ms), parent.end_ms)
        _fit(child)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
