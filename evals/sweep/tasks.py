"""The tasks that can be swept: how each is measured, and what its runs are judged by."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from evals.embedding import EMBEDDING_CACHE, timed
from harness.settings import Settings

if TYPE_CHECKING:  # importing these takes seconds
    from evals.datasets.loader import ConversationSet, DatasetInfo, ToolSet
    from evals.plan import Plan
    from evals.stack import Measured
    from evals.tasks.result import Evaluation


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
        options: of the task, what the run sets of them.
        measured: the services, where the task needs any.
    """

    settings: Settings
    chosen: Mapping[str, Any]
    options: Mapping[str, Any]
    measured: "Measured | None"


@dataclass(frozen=True)
class Task:
    """A task as sweeps see it.

    Attributes:
        dataset: the one that is measured on when none is named.
        metrics: which runs can be ranked by; the first is the default.
        curves: the metrics that are drawn against a numeric setting.
        latency: the figure of how long it takes, in milliseconds.
        tokens: the figure of how many tokens it costs, where it costs any.
        options: the task's own options that runs may set, each a number that is not negative.
        fixed: settings that the task itself decides, with the reason.
        parts: the services that it needs.
        look: reads what the runs' data are, and how many samples the plan takes of them.
        measure: runs it.
    """

    dataset: str
    metrics: tuple[str, ...]
    curves: tuple[str, ...]
    latency: str
    tokens: str | None
    options: frozenset[str]
    fixed: Mapping[str, str]
    parts: frozenset[str]
    look: "Callable[[Source, Plan], tuple[DatasetInfo, int]]"
    measure: "Callable[[Child, Source, Plan, Console], Awaitable[Evaluation]]"


def comparable_latency(task: Task, engines: Mapping[str, str]) -> str | None:
    """The figure of latency, unless runs had it easier the later they came.

    Args:
        task: that was measured.
        engines: what stood behind its runs.
    """
    return None if engines.get(EMBEDDING_CACHE) == "disk" else task.latency


def _conversations(source: Source) -> "ConversationSet":
    from evals.datasets.loader import load_conversations

    return load_conversations(source.split, name=source.dataset, data_dir=source.data_dir)


def _look_at_conversations(source: Source, plan: "Plan") -> "tuple[DatasetInfo, int]":
    data = _conversations(source)
    return data.info, len(plan.select(data.questions))


async def _measure_retrieval(
    child: Child, source: Source, plan: "Plan", console: Console
) -> "Evaluation":
    from evals.tasks.retrieval import evaluate_retrieval
    from harness.services import build_services

    assert child.measured is not None
    there = child.measured.settings.model_copy(update=dict(child.chosen))
    async with await build_services(timed(there, child.settings)) as services:
        return await evaluate_retrieval(
            services,
            _conversations(source),
            console=console,
            plan=plan,
            engines=child.measured.engines,
        )


def _tools(source: Source) -> "ToolSet":
    from evals.datasets.loader import load_tools

    return load_tools(
        source.split, name=source.dataset, data_dir=source.data_dir, per_tool=source.per_tool
    )


def _look_at_tools(source: Source, plan: "Plan") -> "tuple[DatasetInfo, int]":
    data = _tools(source)
    return data.info, len(plan.select(data.queries))


async def _measure_tools(
    child: Child, source: Source, plan: "Plan", console: Console
) -> "Evaluation":
    from evals.datasets.loader import load_tools
    from evals.tasks.tools import evaluate_tools, exemplars_of
    from harness.services import build_services

    learned: list[tuple[str, str]] = []
    if most := child.options.get("exemplars", 0):
        tune = load_tools("tune", name=source.dataset, data_dir=source.data_dir, per_tool=0)
        learned = exemplars_of(tune, most)
    async with await build_services(timed(child.settings, child.settings)) as services:
        return await evaluate_tools(
            services, _tools(source), console=console, plan=plan, exemplars=learned
        )


TASKS = {
    "retrieval": Task(
        dataset="conversations",
        metrics=(
            "recall@10", "recall@5", "hit@10", "mrr@10", "ndcg@10", "session_recall@10",
        ),
        curves=("recall@10", "recall@5"),
        latency="gather_p50_ms",
        tokens="tokens_shown",
        options=frozenset(),
        fixed={"memory_hits": "ten memories are shown, for the deepest metric looks at ten"},
        parts=frozenset({"convex", "chroma"}),
        look=_look_at_conversations,
        measure=_measure_retrieval,
    ),
    "tools": Task(
        dataset="tools",
        metrics=(
            "top1", "top3", "recall@1", "recall@5", "recall@10", "offered_recall", "accuracy",
        ),
        curves=("top1", "top3"),
        latency="select_p50_ms",
        tokens=None,
        options=frozenset({"exemplars"}),
        fixed={},
        parts=frozenset(),
        look=_look_at_tools,
        measure=_measure_tools,
    ),
}  # fmt: skip
