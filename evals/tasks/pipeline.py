"""The whole pipeline: messages through `send_message` to the final answer, on a running stack.

Each case is a conversation that a fresh user has in a fresh thread, its messages one after the
other; cases run side by side. A row is a message, and messages of a case share their fate, so that
intervals are over cases.
"""

import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from rich.console import Console

from evals.clusters import described_unit
from evals.datasets.cases import PipelineCase, PipelineSet
from evals.embedding import embedder_engines
from evals.figures import Figure, build_document, figure, public_settings
from evals.journal import Row
from evals.judge import Judge
from evals.judge_agreement import judge_agreement
from evals.plan import WHOLE, Plan
from evals.runner import Measuring, measured_rows
from evals.stack import measuring_stack
from evals.tasks._case import SCORES, CaseRun
from evals.tasks.result import (
    Evaluation,
    failure_figure,
    latency_figures,
    mean_figures,
    sample_settings,
)
from harness.llm.models import resolve_model
from harness.services import Services, build_services
from harness.settings import Settings

TASK = "eval pipeline"
SERVICES = {"api", "worker", "inngest", "convex", "chroma"}
MEANS = ("completed", "tool_success", "score", *SCORES.values(), "score_rubric")
LATENCIES = ("ack", "first_delta", "completed")
USAGE = {"turns": "turns", "prompt_tokens": "tokens", "completion_tokens": "tokens", "cost": ""}
IN_FLIGHT = 4
MESSAGE_S = 120.0
AROUND_S = 120.0  # for what a case needs beside its messages


@dataclass(frozen=True)
class Conduct:
    """How cases are run; none of it decides what is asked.

    Attributes:
        judge: of rubrics; None leaves their scores out.
        in_flight: cases at a time.
        message_s: seconds that a message may take.
    """

    judge: Judge | None = None
    in_flight: int = IN_FLIGHT
    message_s: float = MESSAGE_S


def parts_of(settings: Settings) -> set[str]:
    """The services that a run with these settings needs, the model's among them."""
    named = [None, settings.fallback_model] if settings.fallback_model else [None]
    providers = {resolve_model(name, settings).provider for name in named}
    part = {"simulated": "simulated", "local": "model"}
    return SERVICES | {part[provider] for provider in providers if provider in part}


def without_files(data: PipelineSet, console: Console) -> PipelineSet:
    """The cases that a stack can be asked whose workspace is its user's own."""
    kept = tuple(case for case in data.cases if case.folder is None)
    left = len(data.cases) - len(kept)
    if not left:
        return data
    console.print(
        f"left out {left} cases that need files: a running stack's workspace is its user's own; "
        "without one running, a private stack is measured"
    )
    info = data.info.model_copy(update={"notes": data.info.notes | {"left_out_with_files": left}})
    return data.model_copy(update={"cases": kept, "info": info})


async def measure_pipeline(
    settings: Settings,
    data: PipelineSet,
    *,
    console: Console,
    plan: Plan = WHOLE,
    in_flight: int = IN_FLIGHT,
    message_s: float = MESSAGE_S,
) -> Evaluation:
    """Evaluate on the running stack of a home, or on a private one with a workspace of its own.

    Args:
        settings: name the home, and the judge if there is one.
        data: cases of one split.
        console: where progress goes.
        plan: which cases are run, and how often.
        in_flight: see `Conduct`.
        message_s: see `Conduct`.
    """
    async with AsyncExitStack() as opened:
        judge = await opened.enter_async_context(Judge(settings)) if settings.judge else None
        # Never the user's own workspace: the folders of cases are made anew in it.
        workspace = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="harness-eval-")))
        env = {"HARNESS_WORKSPACE": str(workspace)}
        measured = await opened.enter_async_context(
            measuring_stack(settings, parts_of(settings), console, env)
        )
        services = await opened.enter_async_context(await build_services(measured.settings))
        return await evaluate_pipeline(
            services,
            data if measured.private else without_files(data, console),
            console=console,
            plan=plan,
            conduct=Conduct(judge, in_flight, message_s),
            engines=measured.engines,
            workspace=workspace if measured.private else None,
        )


async def evaluate_pipeline(
    services: Services,
    data: PipelineSet,
    *,
    console: Console,
    plan: Plan = WHOLE,
    conduct: Conduct = Conduct(),
    engines: dict[str, str] | None = None,
    workspace: Path | None = None,
) -> Evaluation:
    """Have the conversations and score the answers.

    Args:
        services: that work on the stack whose API is sent to.
        data: cases of one split.
        console: where progress goes.
        plan: which cases are run, and how often.
        conduct: how they are run.
        engines: what stood behind each service, for the record.
        workspace: the folder that the stack's file tools see, to put files into; None where none
            of the cases has any.
    """
    started = time.perf_counter()
    settings, judge = services.settings, conduct.judge
    cases = plan.select(data.cases)
    judged = await _judge_figures(judge, data, cases, console)
    run = CaseRun(services, judge, workspace, conduct.message_s)
    for case in cases:
        run.place_files(case)
    judge_name = None if judge is None else judge.model
    journal = plan.open_journal(TASK, settings, data.info, console, judge=judge_name)
    try:
        kept = await measured_rows(
            cases,
            Measuring(run.run, run.failed, _case_timeout(cases, conduct.message_s)),
            label="pipeline",
            console=console,
            in_flight=conduct.in_flight,
            repeats=plan.repeats,
            journal=journal,
        )
    finally:
        if journal is not None:
            journal.close()
        for user_id in run.users:
            await services.memory.forget_user(user_id)
    rows = pl.DataFrame(_by_message(kept), infer_schema_length=None)
    if judge is not None:
        judged["judge_failed"] = figure(rows["judge_error"].count(), "messages", rows.height)
    figures = _figures(rows) | judged | {"seconds": figure(time.perf_counter() - started, "s")}
    model = resolve_model(None, settings)
    given = sample_settings(
        cases=len(cases),
        messages=rows.height,
        judge=judge_name,
        judge_url=None if judge is None else judge.base_url,
        in_flight=conduct.in_flight,
        message_s=conduct.message_s,
        intervals=f"over {described_unit(rows)}",
        **plan.settings(),
        **data.info.notes,
    )
    document = build_document(
        TASK,
        figures,
        public_settings(settings) | given,
        engines=(engines or {}) | {"model": model.name} | embedder_engines(settings),
        simulated=model.simulated,
        dataset=data.info,
    )
    return Evaluation(document, rows, journal)


async def _judge_figures(
    judge: Judge | None, data: PipelineSet, cases: list[PipelineCase], console: Console
) -> dict[str, Figure]:
    """How far the judge can be trusted, or a line that says what is left out without one."""
    rubrics = sum(len(message.expect.rubrics) for case in cases for message in case.messages)
    if judge is None:
        if rubrics:
            console.print(
                f"{rubrics} rubric scores left out: no judge is set (--judge or HARNESS_JUDGE)"
            )
        return {}
    if not data.judge_examples:
        console.print(f"no labelled examples: how far {judge.model} can be trusted is not known")
        return {}
    agreement = await judge_agreement(judge, data.judge_examples)
    if agreement.wrong:
        console.print(f"{judge.model} differs from the labels of {', '.join(agreement.wrong)}")
    return agreement.figures()


def _case_timeout(cases: list[PipelineCase], message_s: float) -> float:
    """Messages are bounded each; this only ends what hangs around them."""
    return max(len(case.messages) for case in cases) * message_s + AROUND_S


def _by_message(kept: list[Row]) -> list[Row]:
    """One row a message, of rows that are one a case."""
    rows = []
    for case in kept:
        shared = {name: case[name] for name in ("repeat", "seed", "tries")}
        for message in case["messages"]:
            error = message["error"] if case["error"] is None else case["error"]
            rows.append(message | shared | {"error": error})
    return rows


def _figures(rows: pl.DataFrame) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for name in MEANS:
        figures |= _mean(rows, name)
    for name, unit in USAGE.items():
        figures |= _mean(rows, name, unit)
    if "cost" in figures:
        figures["cost_total"] = figure(sum(rows["cost"].drop_nulls()), "", rows["cost"].count())
    for stage in LATENCIES:
        figures |= latency_figures(rows.drop_nulls(f"{stage}_ms"), f"{stage}_ms", stage)
    return figures | failure_figure(rows)


def _mean(rows: pl.DataFrame, name: str, unit: str = "") -> dict[str, Figure]:
    """The mean over the messages that have a value; no figure where none has."""
    present = rows.drop_nulls(name)
    return mean_figures(present, [name], unit) if present.height else {}
