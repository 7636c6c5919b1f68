"""How each task's data are looked at, and how one run of it is measured."""

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console

from evals.embedding import exact, timed

if TYPE_CHECKING:  # importing these takes seconds
    from evals.datasets.cases import PipelineSet
    from evals.datasets.loader import CallSet, ConversationSet, DatasetInfo, ToolSet
    from evals.plan import Plan
    from evals.sweep.tasks import Child, Source
    from evals.tasks.result import Evaluation

TOKENS = "tokens"  # of a message of the pipeline, asked and answered


def _conversations(source: "Source") -> "ConversationSet":
    from evals.datasets.loader import load_conversations

    return load_conversations(source.split, name=source.dataset, data_dir=source.data_dir)


def look_at_conversations(source: "Source", plan: "Plan") -> "tuple[DatasetInfo, int]":
    """What the data of retrieval are, and how many questions the plan takes."""
    data = _conversations(source)
    return data.info, len(plan.select(data.questions))


async def measure_retrieval(
    child: "Child", source: "Source", plan: "Plan", console: Console
) -> "Evaluation":
    """Measure retrieval over the services that all runs share."""
    from evals.tasks.retrieval import evaluate_retrieval
    from harness.services import build_services

    assert child.measured is not None
    there = child.measured.settings.model_copy(update=dict(child.chosen))
    async with await build_services(exact(timed(there, child.settings))) as services:
        return await evaluate_retrieval(
            services,
            _conversations(source),
            console=console,
            plan=plan,
            engines=child.measured.engines,
        )


def _tools(source: "Source") -> "ToolSet":
    from evals.datasets.loader import load_tools

    return load_tools(
        source.split, name=source.dataset, data_dir=source.data_dir, per_tool=source.per_tool
    )


def look_at_tools(source: "Source", plan: "Plan") -> "tuple[DatasetInfo, int]":
    """What the data of selection are, and how many requests the plan takes."""
    data = _tools(source)
    return data.info, len(plan.select(data.queries))


async def measure_tools(
    child: "Child", source: "Source", plan: "Plan", console: Console
) -> "Evaluation":
    """Measure selection in this process."""
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


def _calls(source: "Source") -> "CallSet":
    from evals.datasets.loader import load_calls

    return load_calls(source.split, name=source.dataset, data_dir=source.data_dir)


def look_at_calls(source: "Source", plan: "Plan") -> "tuple[DatasetInfo, int]":
    """What the data of calls are, and how many cases the plan takes."""
    data = _calls(source)
    return data.info, len(plan.select(data.cases))


async def measure_calls_of(
    child: "Child", source: "Source", plan: "Plan", console: Console
) -> "Evaluation":
    """Measure the calls of one model, which is started for the run if this machine runs it."""
    from evals.tasks.calls_stack import measure_calls

    return await measure_calls(
        child.settings,
        _calls(source),
        model=child.settings.model,
        protocol=child.options.get("protocol"),
        console=console,
        plan=plan,
        answers=child.answers,
        env=child.environment,
    )


def _cases(source: "Source") -> "PipelineSet":
    from evals.datasets.loader import load_pipeline

    return load_pipeline(source.split, name=source.dataset, data_dir=source.data_dir)


def look_at_cases(source: "Source", plan: "Plan") -> "tuple[DatasetInfo, int]":
    """What the data of the pipeline are, and how many conversations the plan takes."""
    data = _cases(source)
    return data.info, len(plan.select(data.cases))


async def measure_whole_pipeline(
    child: "Child", source: "Source", plan: "Plan", console: Console
) -> "Evaluation":
    """Measure conversations on a stack of the run's own."""
    from evals.tasks.pipeline_stack import measure_pipeline

    evaluation = await measure_pipeline(
        child.settings,
        _cases(source),
        console=console,
        plan=plan,
        answers=child.answers,
        env=child.environment,
    )
    return with_tokens(evaluation)


def with_tokens(evaluation: "Evaluation") -> "Evaluation":
    """The evaluation with all tokens of a message as one column and one figure.

    Args:
        evaluation: of the pipeline, whose rows have the tokens asked and answered apart.
    """
    import polars as pl

    from evals.tasks.result import mean_figures

    rows = evaluation.rows.with_columns(
        (pl.col("prompt_tokens") + pl.col("completion_tokens")).alias(TOKENS)
    )
    known = rows.drop_nulls(TOKENS)
    found = mean_figures(known, [TOKENS], "tokens") if known.height else {}
    document = evaluation.document.model_copy(
        update={"figures": evaluation.document.figures | found}
    )
    return replace(evaluation, rows=rows, document=document)
