"""The tasks that can be swept: how each is measured, and what its runs are judged by."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from evals.embedding import EMBEDDING_CACHE
from evals.sweep.measures import (
    TOKENS,
    look_at_calls,
    look_at_cases,
    look_at_conversations,
    look_at_tools,
    measure_calls_of,
    measure_retrieval,
    measure_tools,
    measure_whole_pipeline,
)
from evals.sweep.options import Check, count, one_of
from harness.settings import Settings

if TYPE_CHECKING:  # importing these takes seconds
    from evals.datasets.loader import DatasetInfo
    from evals.plan import Plan
    from evals.stack import Measured
    from evals.tasks.result import Evaluation

# A case's functions are all that is offered, and no context is gathered: the rest changes nothing.
_READ_BY_CALLS = frozenset({
    "model", "openai_base_url", "model_context_tokens", "model_max_output_tokens",
    "model_timeout_s", "model_stall_s", "model_prices", "max_turns", "max_calls", "max_cost",
})  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Which data every run of a sweep is measured on; see the options of `harness eval`."""

    dataset: str
    data_dir: Path | None
    split: str
    per_tool: int | None = None


@dataclass(frozen=True)
class Child:
    """One run of a sweep, ready to be measured.

    Attributes:
        settings: of this process with what the run sets.
        chosen: what the run sets, by the settings' names.
        environment: the same as variables, for processes that the run starts.
        options: of the task, what the run sets of them.
        measured: the services, where runs share any.
        answers: the folder of kept answers of models; None where each is asked for anew.
    """

    settings: Settings
    chosen: Mapping[str, Any]
    environment: Mapping[str, str]
    options: Mapping[str, Any]
    measured: "Measured | None"
    answers: Path | None


@dataclass(frozen=True)
class Task:
    """A task as sweeps see it.

    Attributes:
        dataset: the one that is measured on when none is named.
        metrics: which runs can be ranked by; the first is the default.
        curves: the metrics that are drawn against a numeric setting.
        latency: the figure of how long it takes, in milliseconds.
        tokens: the figure of how many tokens it costs, where it costs any.
        options: the task's own options that runs may set, with what checks a value.
        fixed: settings that the task itself decides, with the reason.
        parts: the services that all runs share.
        look: reads what the runs' data are, and how many samples the plan takes of them.
        measure: runs it.
        read: the settings that can change a figure; None for all that are not fixed.
        own_stack: a run starts processes of its own, which read what it sets, and asks models.
        finds_vectors: a run may find vectors that an earlier one left.
    """

    dataset: str
    metrics: tuple[str, ...]
    curves: tuple[str, ...]
    latency: str
    tokens: str | None
    options: Mapping[str, Check]
    fixed: Mapping[str, str]
    parts: frozenset[str]
    look: "Callable[[Source, Plan], tuple[DatasetInfo, int]]"
    measure: "Callable[[Child, Source, Plan, Console], Awaitable[Evaluation]]"
    read: frozenset[str] | None = None
    own_stack: bool = False
    finds_vectors: bool = True


def comparable_latency(task: Task, engines: Mapping[str, str]) -> str | None:
    """The figure of latency, unless runs had it easier the later they came.

    Args:
        task: that was measured.
        engines: what stood behind its runs.
    """
    left = task.finds_vectors and "disk" in engines.get(EMBEDDING_CACHE, "")
    return None if left else task.latency


TASKS = {
    "retrieval": Task(
        dataset="conversations",
        metrics=(
            "recall@10", "recall@5", "hit@10", "mrr@10", "ndcg@10", "session_recall@10",
        ),
        curves=("recall@10", "recall@5"),
        latency="gather_p50_ms",
        tokens="tokens_shown",
        options={},
        fixed={"memory_hits": "ten memories are shown, for the deepest metric looks at ten"},
        parts=frozenset({"convex", "chroma"}),
        look=look_at_conversations,
        measure=measure_retrieval,
    ),
    "tools": Task(
        dataset="tools",
        metrics=(
            "top1", "top3", "recall@1", "recall@5", "recall@10", "offered_recall", "accuracy",
        ),
        curves=("top1", "top3"),
        latency="select_p50_ms",
        tokens=None,
        options={"exemplars": count},
        fixed={},
        parts=frozenset(),
        look=look_at_tools,
        measure=measure_tools,
    ),
    "calls": Task(
        dataset="calls",
        metrics=("ast_accuracy", "name_accuracy"),
        curves=("ast_accuracy", "name_accuracy"),
        latency="answer_p50_ms",
        tokens="prompt_tokens",
        options={"protocol": one_of("native", "json")},
        fixed={"model_protocol": "only models of other servers read it; `protocol` is for all"},
        parts=frozenset(),
        look=look_at_calls,
        measure=measure_calls_of,
        read=_READ_BY_CALLS,
        own_stack=True,
        finds_vectors=False,
    ),
    "pipeline": Task(
        dataset="pipeline",
        metrics=("score", "completed", "tool_success"),
        curves=("score", "completed"),
        latency="completed_p50_ms",
        tokens=TOKENS,
        options={},
        fixed={
            "env": "it says whose services are measured",
            "judge": "scores of different judges can not be held against each other",
        },
        parts=frozenset(),
        look=look_at_cases,
        measure=measure_whole_pipeline,
        own_stack=True,
        finds_vectors=False,
    ),
}  # fmt: skip
