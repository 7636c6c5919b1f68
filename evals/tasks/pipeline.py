"""The whole pipeline: messages through `send_message` to the final answer, on a running stack.

Each case is a conversation that a fresh user has in a fresh thread, its messages one after the
other; cases run side by side. A row is a message, and messages of a case share their fate, so that
intervals are over cases.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from rich.console import Console

from evals.answer_cache import AnswerCache
from evals.clusters import described_unit
from evals.datasets.cases import PipelineCase, PipelineSet
from evals.embedding import embedder_engines
from evals.figures import Figure, build_document, figure, public_settings
from evals.journal import Row
from evals.judge import Judge
from evals.judge_agreement import judge_agreement
from evals.plan import WHOLE, Plan
from evals.recorded import MessageRecord
from evals.runner import Measuring, measured_rows
from evals.tasks._case import RECORD, SCORES, CaseRun
from evals.tasks.result import (
    Evaluation,
    failure_figure,
    latency_figures,
    mean_figures,
    sample_settings,
)
from harness.llm.models import resolve_model
from harness.services import Services

TASK = "eval pipeline"
MEANS = ("completed", "tool_success", "score", *SCORES.values(), "score_rubric")
MODEL_STAGES = ("first_delta", "completed")  # which wait for the model
USAGE = {"turns": "turns", "prompt_tokens": "tokens", "completion_tokens": "tokens", "cost": ""}
IN_FLIGHT = 4
MESSAGE_S = 120.0
AROUND_S = 120.0  # for what a case needs beside its messages


@dataclass(frozen=True)
class Conduct:
    """How cases are run; none of it decides what is asked.

    Attributes:
        judge: of rubrics; None leaves their scores out.
        answers: through which the stack asks its model, where answers are kept.
        in_flight: cases at a time.
        message_s: seconds that a message may take.
    """

    judge: Judge | None = None
    answers: AnswerCache | None = None
    in_flight: int = IN_FLIGHT
    message_s: float = MESSAGE_S

    def begin_repeat(self, repeat: int) -> None:
        """Keep the answers of each repeat apart; workers can not say which one they ask for."""
        if self.answers is not None:
            self.answers.salt = str(repeat)


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
    cases = plan.select(data.cases)
    judged = await _judge_figures(conduct.judge, data, cases, console)
    run = CaseRun(services, conduct.judge, workspace, conduct.message_s)
    for case in cases:
        run.place_files(case)
    judge_name = None if conduct.judge is None else conduct.judge.model
    journal = plan.open_journal(TASK, services.settings, data.info, console, judge=judge_name)
    try:
        by_case = await measured_rows(
            cases,
            Measuring(
                run.run, run.failed, _case_timeout(cases, conduct.message_s), conduct.begin_repeat
            ),
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
    by_message = _by_message(by_case)
    # Of the journal, since the stack that knew of a resumed case's messages is gone.
    kept = [row.pop(RECORD) for row in by_message]
    records = tuple(MessageRecord.model_validate(each) for each in kept if each is not None)
    rows = pl.DataFrame(by_message, infer_schema_length=None)
    figures = _figures(rows, conduct, judged, console)
    figures["seconds"] = figure(time.perf_counter() - started, "s")
    given = sample_settings(
        cases=len(cases),
        messages=rows.height,
        judge=judge_name,
        in_flight=conduct.in_flight,
        message_s=conduct.message_s,
        answer_cache=conduct.answers is not None,
        intervals=f"over {described_unit(rows)}",
        **plan.settings(),
        **data.info.notes,
    )
    settings, model = services.settings, resolve_model(None, services.settings)
    document = build_document(
        TASK,
        figures,
        public_settings(settings) | given,
        engines=(engines or {})
        | {"model": model.name}
        | ({} if conduct.judge is None else {"judge": conduct.judge.model})
        | embedder_engines(settings),
        simulated=model.simulated,
        dataset=data.info,
    )
    scores = tuple(name for name in MEANS if rows[name].count())
    return Evaluation(document, rows, journal, records, scores, (model,))


async def _judge_figures(
    judge: Judge | None, data: PipelineSet, cases: Sequence[PipelineCase], console: Console
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


def _case_timeout(cases: Sequence[PipelineCase], message_s: float) -> float:
    """Messages are bounded each; this only ends what hangs around them."""
    return max(len(case.messages) for case in cases) * message_s + AROUND_S


def _by_message(kept: Sequence[Row]) -> list[Row]:
    """One row a message, of rows that are one a case."""
    rows = []
    for case in kept:
        shared = {name: case[name] for name in ("repeat", "seed", "tries")}
        for message in case["messages"]:
            error = message["error"] if case["error"] is None else case["error"]
            rows.append(message | shared | {"error": error})
    return rows


def _figures(
    rows: pl.DataFrame, conduct: Conduct, judged: dict[str, Figure], console: Console
) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for name in MEANS:
        figures |= _mean(rows, name)
    if conduct.judge is not None:  # beside its scores, how far they can be trusted
        failed = rows["judge_error"].count()
        of_all = failed + rows["score_rubric"].count()
        figures |= judged | {"judge_failed": figure(failed, "messages", of_all)}
    for name, unit in USAGE.items():
        figures |= _mean(rows, name, unit)
    if "cost" in figures:
        paid = rows["cost"].drop_nulls().to_list()
        figures["cost_total"] = figure(sum(paid), "", len(paid))
    for stage in ("ack", *MODEL_STAGES):
        figures |= latency_figures(rows.drop_nulls(f"{stage}_ms"), f"{stage}_ms", stage)
    if conduct.answers is not None:
        figures |= _without_model_times(figures, conduct.answers, console)
    return figures | failure_figure(rows)


def _mean(rows: pl.DataFrame, name: str, unit: str = "") -> dict[str, Figure]:
    """The mean over the messages that have a value; no figure where none has."""
    present = rows.drop_nulls(name)
    return mean_figures(present, [name], unit) if present.height else {}


def _without_model_times(
    figures: dict[str, Figure], answers: AnswerCache, console: Console
) -> dict[str, Figure]:
    """How many answers were kept ones, and no figure for what waits for the model if any was."""
    asked = answers.hits + answers.misses
    found = {"answers_kept": figure(answers.hits, "answers", asked)}
    if answers.hits:
        console.print(
            f"{answers.hits} of {asked} answers of the model were kept ones, so its times are left "
            "out; --no-answer-cache measures them"
        )
        times = [f"{stage}_p{percent}_ms" for stage in MODEL_STAGES for percent in (50, 95)]
        found |= {name: Figure(value=None, unit="ms") for name in times if name in figures}
    return found
