"""Measures the runs of a sweep one after another; one that fails costs only itself."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.console import Console

from evals.identity import identity_key, run_identity
from evals.plan import Plan
from evals.sweep.chosen import Chosen
from evals.sweep.file import Sweep
from evals.sweep.kept import KeptRun, KeptSweep
from evals.sweep.tasks import Child
from evals.tasks.result import Evaluation
from harness.errors import HarnessError
from harness.settings import Settings

if TYPE_CHECKING:
    from evals.datasets.loader import DatasetInfo
    from evals.stack import Measured


@dataclass(frozen=True)
class Outcome:
    """What became of one run: it is kept, or it failed for a reason."""

    number: int
    chosen: Chosen
    run: KeptRun | None = None
    error: str | None = None


def identities_of(sweep: Sweep, settings: Settings, info: "DatasetInfo", plan: Plan) -> list[str]:
    """For each run, what makes it the same as one of another time."""
    return [
        identity_key(
            run_identity(
                f"eval {sweep.task_name}",
                settings.model_copy(update=run.settings),
                info,
                plan.settings()
                | {"per_tool": sweep.source.per_tool, "answer_cache": sweep.answer_cache}
                | run.options,
            )
        )
        for run in sweep.runs
    ]


async def measure_runs(
    sweep: Sweep,
    settings: Settings,
    identities: Sequence[str],
    kept: KeptSweep,
    *,
    plan: Plan,
    console: Console,
) -> list[Outcome]:
    """Measure each run, or take it as it was measured before, and keep it.

    Args:
        sweep: what to run.
        settings: of this process; each run sets some of them anew.
        identities: of the runs, in their order.
        kept: where they are kept.
        plan: of each run; where it resumes nothing, no kept run is taken.
        console: where progress goes.
    """
    fresh = plan.resume is False
    before = [None if fresh else kept.find(identity) for identity in identities]
    outcomes = []
    took_s: list[float] = []
    async with _services(sweep, settings, console, needed=None in before) as measured:
        for number, (chosen, found) in enumerate(zip(sweep.runs, before, strict=True), start=1):
            line = f"run {number} of {len(sweep.runs)}: {chosen.name}"
            if found is not None:
                console.print(f"{line}: measured before", markup=False, highlight=False)
                outcomes.append(Outcome(number, chosen, found))
                continue
            left = _time_left(took_s, before[number - 1 :].count(None))
            console.print(f"{line}{left}", markup=False, highlight=False)
            started = time.monotonic()
            child = Child(
                settings.model_copy(update=chosen.settings),
                chosen.settings,
                chosen.environment,
                chosen.options,
                measured,
                settings.home / "cache" / "answers" if sweep.answer_cache else None,
            )
            try:
                evaluation = await sweep.task.measure(child, sweep.source, plan, console)
                _check_ranked(evaluation, sweep.metric)
            except Exception as error:
                reason = str(error).partition("\n")[0] or type(error).__name__
                console.print(f"failed: {reason}", style="red", markup=False)
                outcomes.append(Outcome(number, chosen, error=reason))
                continue
            run = _keep(kept, evaluation, chosen, identities[number - 1])
            outcomes.append(Outcome(number, chosen, run))
            took_s.append(time.monotonic() - started)
    return outcomes


def _check_ranked(evaluation: Evaluation, metric: str) -> None:
    if metric not in evaluation.document.figures:
        raise HarnessError(f"no sample has a {metric}, which runs are ranked by")


def _keep(kept: KeptSweep, evaluation: Evaluation, chosen: Chosen, identity: str) -> KeptRun:
    sets = {f"sweep.{name}": value for name, value in chosen.given.items()}
    document = evaluation.document.model_copy(
        update={"settings": evaluation.document.settings | sets}
    )
    run_id = kept.keep(replace(evaluation, document=document), chosen.name, identity)
    if evaluation.journal is not None:
        evaluation.journal.finish()
    return KeptRun(run_id, document, evaluation.rows)


@asynccontextmanager
async def _services(
    sweep: Sweep, settings: Settings, console: Console, *, needed: bool
) -> AsyncIterator["Measured | None"]:
    """One set of services for all runs of a task whose settings this process alone reads.

    Each run writes as users of its own, and forgets them.
    """
    if not (needed and sweep.task.parts):
        yield None
        return
    from evals.stack import measuring_stack

    async with measuring_stack(settings, set(sweep.task.parts), console) as measured:
        yield measured


def _time_left(took_s: Sequence[float], runs: int) -> str:
    if not took_s:
        return ""
    seconds = runs * sum(took_s) / len(took_s)
    return f" (about {seconds:.0f} s left)" if seconds < 120 else f" ({seconds / 60:.0f} min left)"
