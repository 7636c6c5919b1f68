"""The model's calls: does it call the right functions with the right arguments, in order?

A case's functions are offered as tools are in production: through the turns of an answer, in the
model's own protocol, with the repair of a call that could not run. Nothing is executed. A case
that wants one call, or none, ends with the first turn whose calls could run, as BFCL judges it;
where several are wanted, a call that could run is told `accepted` and the turns go on, so that a
model that calls one function after another is not wronged.
"""

import itertools
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from rich.console import Console

from evals.answer_cache import AnswerCache, Served, upstream_of
from evals.answer_store import AnswerStore
from evals.datasets.functions import OfferedFunctions
from evals.datasets.records import CallCase, CallSet
from evals.figures import Figure, build_document, figure, public_settings
from evals.journal import Row
from evals.metrics.bfcl_checker import Call, official_checker
from evals.metrics.calls import ORDERED, CallScores, score_calls
from evals.plan import WHOLE, Plan
from evals.runner import Measuring, run_samples
from evals.tagged_clients import TaggedClients
from evals.tasks.result import (
    Evaluation,
    failure_figure,
    latency_figures,
    mean_figures,
    sample_settings,
)
from harness.context.gather import GatheredContext
from harness.context.history import HistoryItem
from harness.llm.answer import Answer, Ceilings
from harness.llm.clients import ModelClients
from harness.llm.models import ModelSpec
from harness.llm.turn import run_turn
from harness.llm.turns import CallOutcome
from harness.llm.usage import cost
from harness.models import ToolRequest, Usage
from harness.settings import Settings
from harness.tools.execution import call_problem

TASK = "eval calls"
SCORES = ("name_accuracy", "ast_accuracy")
ACCEPTED = json.dumps({"status": "accepted"})
IN_FLIGHT = 4
TIMEOUT_S = 120.0


async def evaluate_calls(
    settings: Settings,
    spec: ModelSpec,
    data: CallSet,
    *,
    console: Console,
    plan: Plan = WHOLE,
    in_flight: int = IN_FLIGHT,
    timeout_s: float = TIMEOUT_S,
    answers: Path | None = None,
    engines: dict[str, str] | None = None,
) -> Evaluation:
    """Have a model call the functions of each case and score its calls.

    Args:
        settings: ceilings, timeouts and prices, as in production.
        spec: the model, with the protocol that it is asked in.
        data: cases of one split.
        console: where progress goes.
        plan: which cases are measured, and how often.
        in_flight: how many cases are asked at a time.
        timeout_s: seconds that one try of a case may take.
        answers: the folder of kept answers; None asks the model each time.
        engines: what answers, for the record.

    Raises:
        HarnessError: the package of the checker is not installed.
    """
    official_checker()  # missing, it is told once and not by each case
    started = time.perf_counter()
    cases = plan.select(data.cases)
    asked = {"model": spec.name, "protocol": spec.protocol, "answer_cache": answers is not None}
    journal = plan.open_journal(TASK, settings, data.info, console, **asked)
    served = _Served()
    cache = _cache(answers, spec, served)
    async with ModelClients(settings) as clients, cache as entered:
        at = spec if entered is None else spec.model_copy(update={"base_url": entered.url})
        asking = _Asking(settings, at, clients, served)
        with journal or nullcontext():
            rows = await run_samples(
                cases,
                Measuring(asking.measure, _failed, timeout_s),
                label="calls",
                console=console,
                in_flight=in_flight,
                repeats=plan.repeats,
                journal=journal,
            )
    figures = _figures(rows) | {"seconds": figure(time.perf_counter() - started, "s")}
    record = public_settings(settings) | sample_settings(
        **asked, cases=len(cases), **plan.settings(), **data.info.notes
    )
    document = build_document(
        TASK,
        figures,
        record | {"model": spec.name},
        engines=(engines or {}) | {"model": f"{spec.name} ({spec.provider}, {spec.protocol})"},
        simulated=spec.simulated,
        dataset=data.info,
    )
    return Evaluation(document, rows, journal, models=(spec,))


@dataclass
class _Served:
    """What the cache of answers served, by the tag of who asked."""

    by_tag: dict[str, list[Served]] = field(default_factory=lambda: defaultdict(list))

    def add(self, served: Served) -> None:
        self.by_tag[served.tag].append(served)

    def take(self, tag: str) -> list[Served]:
        return self.by_tag.pop(tag, [])


def _cache(
    answers: Path | None, spec: ModelSpec, served: _Served
) -> AbstractAsyncContextManager[AnswerCache | None]:
    if answers is None:
        return nullcontext()
    return AnswerCache(AnswerStore(answers), upstream_of(spec), served.add)


@dataclass
class _Made:
    """The calls of one case: those that could run, and what became of the others."""

    calls: list[Call] = field(default_factory=list)
    tried: int = 0
    first_valid: bool | None = None  # whether those of the first calling turn could all run
    last_valid: bool = True

    def add(self, turn: list[Call], tried: int) -> None:
        if not tried:
            return
        self.calls += turn
        self.tried += tried
        self.last_valid = len(turn) == tried
        if self.first_valid is None:
            self.first_valid = self.last_valid


@dataclass
class _Asking:
    """Asks the model about cases."""

    settings: Settings
    spec: ModelSpec
    clients: ModelClients
    served: _Served
    _tags: Iterator[int] = field(default_factory=itertools.count)

    async def measure(self, case: CallCase, seed: int) -> Row:
        """One case's row. Its seed names its repeat to the cache of answers."""
        tag = str(next(self._tags))
        functions = OfferedFunctions(case)
        answer = Answer(
            Ceilings.of(self.settings),
            case.id,
            case.question[-1][-1]["content"],
            GatheredContext(history=_earlier(case)),
            functions.specs,
        )
        made = _Made()
        clients = TaggedClients(self.clients, str(seed), tag)
        try:
            while not answer.finished:
                request = answer.next_turn()
                if answer.limit is not None:
                    break  # it may only speak from here on
                result = await run_turn(clients, self.spec, request, _ignore)
                outcomes = [_outcome(functions, call) for call in result.tool_calls]
                answer.add(result, outcomes)
                made.add(_runnable(functions, result.tool_calls, outcomes), len(outcomes))
                if len(case.truth) <= 1 and not any(outcome.wrong for outcome in outcomes):
                    break
        finally:
            served = self.served.take(tag)
        scores = score_calls(case, made.calls, made.tried)
        return _columns(case) | _scored(scores, made, answer) | self._spent(answer, served)

    def _spent(self, answer: Answer, served: list[Served]) -> Row:
        """Tokens, their price and times: of when the answers were made, where they were kept."""
        usage = sum((each.usage for each in answer.results), Usage())
        measured = served or answer.results
        return {
            "answer_ms": sum(each.duration_ms for each in measured),
            "cached": any(each.cached for each in served),
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cost": cost(usage, self.spec.name, self.settings.model_prices),
        }


def _earlier(case: CallCase) -> list[HistoryItem]:
    """The messages before the last one; what a set's system message says is the user's here."""
    messages = [message for turn in case.question for message in turn]
    return [
        HistoryItem(
            role="assistant" if message["role"] == "assistant" else "user",
            speaker=None,
            content=message["content"],
            sent_at=0,
        )
        for message in messages[:-1]
    ]


def _outcome(functions: OfferedFunctions, call: ToolRequest) -> CallOutcome:
    offered = {spec.name: spec for spec in functions.specs}
    problem = call_problem(functions.registry, offered, call)
    return CallOutcome(
        call_id=call.call_id,
        name=call.name,
        ok=problem is None,
        content=ACCEPTED if problem is None else f"error: {problem}",
        wrong=problem is not None,
    )


def _runnable(
    functions: OfferedFunctions, calls: list[ToolRequest], outcomes: list[CallOutcome]
) -> list[Call]:
    return [
        {functions.own_name(call.name): call.arguments}
        for call, outcome in zip(calls, outcomes, strict=True)
        if outcome.ok
    ]


async def _ignore(_: str) -> None:
    """What the model says beside its calls is kept with the turn."""


def _columns(case: CallCase) -> Row:
    return {
        "category": case.category,
        "question": case.question[-1][-1]["content"],
        "functions": [function["name"] for function in case.functions],
        "gold": json.dumps(case.truth, ensure_ascii=False),
    }


def _scored(scores: CallScores, made: _Made, answer: Answer) -> Row:
    return {
        "output": json.dumps(made.calls, ensure_ascii=False),
        "said": "\n\n".join(result.text for result in answer.results if result.text),
        "name_accuracy": scores.name,
        "ast_accuracy": scores.ast,
        "order_accuracy": scores.order,
        "valid_rate": None if made.first_valid is None else float(made.first_valid),
        "repaired_rate": float(made.last_valid) if made.first_valid is False else None,
        "repairs": answer.repairs,
        "turns": len(answer.results),
        "why": scores.problem,
    }


def _failed(case: CallCase) -> Row:
    """A case whose model gave no answer is wrong, where nothing was to be called too."""
    return _columns(case) | {
        "output": "[]",
        "said": "",
        **dict.fromkeys(SCORES, 0.0),
        "order_accuracy": 0.0 if case.category in ORDERED else None,
        "valid_rate": None,
        "repaired_rate": None,
        "repairs": 0,
        "turns": 0,
        "why": "no answer",
        "answer_ms": None,
        "cached": False,
        "prompt_tokens": None,
        "completion_tokens": None,
        "cost": None,
    }


def _figures(rows: pl.DataFrame) -> dict[str, Figure]:
    figures = mean_figures(rows, SCORES)
    for name in ("valid_rate", "repaired_rate", "order_accuracy"):
        figures |= mean_figures(rows.drop_nulls(name), [name])
    for (category,), part in rows.group_by("category", maintain_order=True):
        means = mean_figures(part, SCORES)
        figures |= {f"{name}_{category}": mean for name, mean in means.items()}
    answered = rows.filter(pl.col("error").is_null())
    figures["repairs"] = figure(float(rows["repairs"].sum()), "turns", rows.height)
    figures |= latency_figures(rows, "answer_ms", "answer")
    figures |= mean_figures(answered, ["prompt_tokens", "completion_tokens"], "tokens")
    priced = rows.drop_nulls("cost")
    if priced.height:
        figures["cost"] = figure(float(priced["cost"].sum()), "", priced.height)
    figures["cached"] = figure(float(rows["cached"].sum()), "cases", rows.height)
    return figures | failure_figure(rows)
