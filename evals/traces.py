"""Messages as MLflow traces: one trace a message, spans for each step, model and tool call.

They are written after the fact from what the pipeline recorded, with the times of then: a message
runs through other processes than the one that measures, and is not slowed down by being traced.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evals._spans import NAME, Drawn, draw_message
from evals.recorded import MessageRecord
from evals.tracking import connect, tracking_uri
from harness.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities import Assessment, Span, TraceInfo

_SPANS_A_BATCH = 500
_PREVIEW_CHARACTERS = 1000
_ID_BYTES, _SPAN_ID_BYTES = 16, 8


def trace_id_of(message_key: str) -> str:
    """The id of a message's trace: always the same, so that it is known before it is written."""
    return f"tr-{_digest(message_key, _ID_BYTES).hex()}"


def log_message_traces(
    settings: Settings,
    run_id: str,
    records: Sequence[MessageRecord],
    assessments: Mapping[str, Sequence["Assessment"]] | None = None,
) -> dict[str, str]:
    """Write a trace for each message, belonging to a run; they are kept when this returns.

    Args:
        settings: say where the store is.
        run_id: of a run that is in it.
        records: of the messages, also of those that failed.
        assessments: what is thought of them, by message key.

    Returns:
        Trace ids by message key.
    """
    experiment_id = str(connect(settings).get_run(run_id).info.experiment_id)
    from mlflow.tracing.client import TracingClient

    client = TracingClient(tracking_uri(settings))
    batch: list[Span] = []
    for record in records:
        root = draw_message(record)
        info = _info(record, root, experiment_id, run_id)
        info.assessments = list((assessments or {}).get(record.key, ()))
        client.start_trace(info)
        batch += _spans(record.key, root)
        if len(batch) >= _SPANS_A_BATCH:
            client.log_spans(experiment_id, batch)
            batch = []
    if batch:
        client.log_spans(experiment_id, batch)
    return {record.key: trace_id_of(record.key) for record in records}


def _info(record: MessageRecord, root: Drawn, experiment_id: str, run_id: str) -> "TraceInfo":
    from mlflow.entities import TraceInfo, TraceLocation, TraceState
    from mlflow.tracing.constant import TraceMetadataKey, TraceTagKey

    answer = record.assistant
    metadata = {TraceMetadataKey.SOURCE_RUN: run_id, "mlflow.trace_schema.version": "3"}
    if answer is not None:
        metadata[TraceMetadataKey.TRACE_SESSION] = answer.thread_id
    if answer is not None and answer.usage is not None:
        usage = answer.usage
        metadata[TraceMetadataKey.TOKEN_USAGE] = json.dumps(
            {
                "input_tokens": usage.prompt_tokens,
                "output_tokens": usage.completion_tokens,
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
                "cache_read_input_tokens": usage.cached_tokens,
            }
        )
    return TraceInfo(
        trace_id=trace_id_of(record.key),
        trace_location=TraceLocation.from_experiment_id(experiment_id),
        request_time=int(root.start_ms),
        execution_duration=int(root.end_ms - root.start_ms),
        state=TraceState.OK if root.error is None else TraceState.ERROR,
        client_request_id=record.key,
        request_preview=record.user.content[:_PREVIEW_CHARACTERS] if record.user else None,
        response_preview=answer.content[:_PREVIEW_CHARACTERS] if answer else None,
        trace_metadata=metadata,
        tags={TraceTagKey.TRACE_NAME: NAME, "status": str(root.attributes["status"])},
    )


def _spans(key: str, root: Drawn) -> "list[Span]":
    from mlflow.entities import Span

    return [Span.from_dict(_span(key, *each)) for each in root.walk()]


def _span(key: str, path: str, parent: str | None, drawn: Drawn) -> dict[str, Any]:
    """A span in MLflow's JSON form."""
    attributes = {
        "mlflow.traceRequestId": trace_id_of(key),
        "mlflow.spanType": drawn.kind,
        "mlflow.spanInputs": drawn.inputs,
        "mlflow.spanOutputs": drawn.outputs,
        **drawn.attributes,
    }
    return {
        "trace_id": _base64(_digest(key, _ID_BYTES)),
        "span_id": _base64(_digest(f"{key} {path}", _SPAN_ID_BYTES)),
        "parent_span_id": None
        if parent is None
        else _base64(_digest(f"{key} {parent}", _SPAN_ID_BYTES)),
        "name": drawn.name,
        "start_time_unix_nano": int(drawn.start_ms * 1_000_000),
        "end_time_unix_nano": int(drawn.end_ms * 1_000_000),
        "status": {
            "code": "STATUS_CODE_OK" if drawn.error is None else "STATUS_CODE_ERROR",
            "message": drawn.error or "",
        },
        "attributes": {
            name: json.dumps(value, ensure_ascii=False)
            for name, value in attributes.items()
            if value is not None
        },
    }


def _digest(text: str, size: int) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:size]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
