"""Where the pipeline is evaluated: the running stack, or a private one for the time of the run."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from evals.answer_cache import AnswerCache, Upstream, environment_at, settings_at, upstream_of
from evals.answer_store import AnswerStore
from evals.datasets.cases import PipelineSet
from evals.judge import Judge
from evals.plan import WHOLE, Plan
from evals.stack import MODEL_PARTS, Measured, measuring_stack
from evals.tasks.pipeline import IN_FLIGHT, MESSAGE_S, Conduct, evaluate_pipeline
from evals.tasks.result import Evaluation
from harness.llm.clients import is_loopback
from harness.llm.models import resolve_model
from harness.local.environment import URL_VARIABLES, url_of
from harness.local.supervisor import running_settings
from harness.services import build_services
from harness.settings import Settings

SERVICES = {"api", "worker", "inngest", "convex", "chroma"}


@dataclass(frozen=True)
class _Place:
    """A stack to measure; `answers` is what its model is asked through, if answers are kept."""

    measured: Measured
    answers: AnswerCache | None = None


async def measure_pipeline(
    settings: Settings,
    data: PipelineSet,
    *,
    console: Console,
    plan: Plan = WHOLE,
    in_flight: int = IN_FLIGHT,
    message_s: float = MESSAGE_S,
    answers: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Evaluation:
    """Evaluate on the running stack of a home, or on a private one with a workspace of its own.

    Args:
        settings: name the home, and the judge if there is one.
        data: cases of one split.
        console: where progress goes.
        plan: which cases are run, and how often.
        in_flight: see `Conduct`.
        message_s: see `Conduct`.
        answers: the folder that keeps answers of models; None asks for each anew.
        env: variables of a private stack.
    """
    store = None if answers is None else AnswerStore(answers)
    async with AsyncExitStack() as opened:
        judge = await opened.enter_async_context(Judge(settings)) if settings.judge else None
        if judge is not None and store is not None:
            upstream = Upstream(judge.base_url, judge.base_url, is_loopback(judge.base_url))
            judge.ask_through((await opened.enter_async_context(AnswerCache(store, upstream))).url)
        # Never the user's own workspace: the folders of cases are made anew in it.
        workspace = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="harness-eval-")))
        given = {**(env or {}), "HARNESS_WORKSPACE": str(workspace)}
        place = await opened.enter_async_context(_place(settings, store, given, console))
        measured = place.measured
        services = await opened.enter_async_context(await build_services(measured.settings))
        return await evaluate_pipeline(
            services,
            data if measured.private else without_files(data, console),
            console=console,
            plan=plan,
            conduct=Conduct(judge, place.answers, in_flight, message_s),
            engines=measured.engines,
            workspace=workspace if measured.private else None,
        )


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


def model_parts(settings: Settings) -> set[str]:
    """The parts of a stack that its models need."""
    named = [None, settings.fallback_model] if settings.fallback_model else [None]
    providers = {resolve_model(name, settings).provider for name in named}
    return {MODEL_PARTS[provider] for provider in providers if provider in MODEL_PARTS}


@asynccontextmanager
async def _place(
    settings: Settings, store: AnswerStore | None, env: dict[str, str], console: Console
) -> AsyncIterator[_Place]:
    parts = model_parts(settings)
    running = running_settings(settings.home) is not None
    if store is None or running:
        if store is not None:
            console.print("answers of the model are not kept: a running stack asks it directly")
        async with measuring_stack(settings, SERVICES | parts, console, env) as measured:
            yield _Place(measured)
        return
    # The model first: the rest of the stack is told another address for it.
    async with measuring_stack(settings, parts, console, env) as models:
        spec = resolve_model(None, models.settings)
        async with AnswerCache(store, upstream_of(spec)) as answers:
            env |= {URL_VARIABLES[part]: url_of(part, models.settings) for part in parts}
            env |= environment_at(spec, answers.url)
            async with measuring_stack(settings, SERVICES, console, env) as measured:
                # The cache has another address each time, and no figure differs for it.
                told = settings_at(measured.settings, spec, spec.base_url)
                yield _Place(Measured(told, models.engines | measured.engines), answers)
