"""The demo: the whole pipeline on this machine, a conversation on it, and what it measures."""

import shutil
import time
import uuid
from pathlib import Path

import polars as pl
from rich.console import Console

from evals.datasets.loader import load_conversations, load_tools
from evals.demo.report import conversation_section
from evals.demo.script import WORKSPACE, Conversation
from evals.demo.stage import Stage
from evals.demo.summary import print_summary
from evals.demo.talk import Said, prepare_thread, say
from evals.figures import (
    Document,
    build_document,
    figure,
    public_settings,
    write_document,
)
from evals.recorded import Recorded
from evals.report import summary_section, write_report
from evals.sections import section_of
from evals.tasks.result import Evaluation
from evals.tasks.retrieval import evaluate_retrieval
from evals.tasks.tools import evaluate_tools
from evals.tracking import keep_evaluation, keep_run
from harness.client import ChatClient
from harness.llm.models import resolve_model
from harness.local.supervisor import Stack
from harness.models import Status
from harness.services import Services, build_services
from harness.settings import LOCAL_MODEL, Settings
from loadtest.commands import measured_load

LOAD_RATE = 4.0
LOAD_SECONDS = 20.0
ENGINES = {"inngest": "local engine", "convex": "local engine", "chroma": "local server"}


async def run_demo(
    settings: Settings, conversation: Conversation, *, console: Console, json: Path | None
) -> bool:
    """Run the demo from start to end.

    Args:
        settings: say where its data goes.
        conversation: what is said.
        console: where it is shown.
        json: where the figures are written, if anywhere.

    Returns:
        Whether every message was completed.
    """
    stage = Stage(console)
    home = settings.home / "demo"
    stage.heading("Starting the stack")
    began = time.perf_counter()
    async with Stack(home, env={"HARNESS_WORKSPACE": str(fresh_workspace(home))}) as stack:
        console.print(f"{', '.join(stack.urls)} up in {time.perf_counter() - began:.1f} s\n")
        async with await build_services(stack.settings) as services:
            stage.heading(f"A conversation: {conversation.title}")
            exchanges = await converse(stack.settings, services, conversation, stage)
            talked = _conversation_document(stack, conversation, exchanges)
            stage.heading("Context retrieval")
            engines = ENGINES | {"embedder": stack.settings.embedder}
            retrieval = await evaluate_retrieval(
                services, load_conversations("test"), console=console, engines=engines
            )
            stage.heading("Tool selection")
            selection = await evaluate_tools(services, load_tools("test"), console=console)
        stage.heading("Load, with the simulated model")
        result, load = await measured_load(
            stack.settings, "send", console=console, rate=LOAD_RATE, duration_s=LOAD_SECONDS
        )
        talked.figures["stack_memory_mb"] = figure(stack.memory_mb(), "MB")
    samples = pl.DataFrame([sample.model_dump() for sample in result.samples])
    parts = [retrieval, selection, Evaluation(load, samples)]
    return _conclude(settings, conversation, exchanges, talked, parts, console, json)


def fresh_workspace(home: Path) -> Path:
    """The folder that the demo's file tools see: fresh copies of what ships."""
    folder = home / "workspace"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(WORKSPACE, folder)
    return folder


async def converse(
    settings: Settings, services: Services, conversation: Conversation, stage: Stage
) -> list[Said]:
    """Have a conversation as a fresh user.

    Args:
        settings: of the stack.
        services: that work on the stack.
        conversation: what is said.
        stage: shows it.
    """
    user_id = f"user_demo_{uuid.uuid4().hex[:12]}"
    model = settings.model or LOCAL_MODEL
    stage.console.print(f"answered by {model}", style="dim", end="")
    note = ": a tiny local model, for plumbing only" if model == LOCAL_MODEL else ""
    stage.console.print(f"{note}; text is read from a Convex subscription\n", style="dim")
    exchanges = []
    async with ChatClient(settings, user_id) as client, Recorded(settings) as recorded:
        thread_id = await prepare_thread(services, user_id, conversation)
        for turn in conversation.messages:
            stage.user(turn.text)
            said = await say(client, recorded, thread_id, turn, stage.token, stage.ask)
            stage.outcome(said.went, said.problems(recalled(conversation, said)))
            exchanges.append(said)
    return exchanges


def recalled(conversation: Conversation, said: Said) -> str | None:
    """The earlier message that a message refers back to, if it does."""
    index = said.turn.expects.recalls
    return None if index is None else conversation.earlier[index].content


def _conversation_document(
    stack: Stack, conversation: Conversation, exchanges: list[Said]
) -> Document:
    completed = [e for e in exchanges if e.went.status is Status.COMPLETED]
    right = [e for e in exchanges if not e.problems(recalled(conversation, e))]
    tools_right = [e for e in exchanges if e.went.called() == e.turn.expects.tools]
    n = len(exchanges)
    settings = stack.settings
    return build_document(
        "demo",
        {
            "messages_completed": figure(len(completed), "messages", n),
            "messages_failed": figure(n - len(completed), "messages", n),
            "tool_calls_right": figure(len(tools_right), "messages", n),
            "as_expected": figure(len(right), "messages", n),
        },
        public_settings(settings),
        engines=ENGINES | {"model": settings.model or LOCAL_MODEL},
    )


def _conclude(
    settings: Settings,
    conversation: Conversation,
    exchanges: list[Said],
    talked: Document,
    parts: list[Evaluation],
    console: Console,
    json: Path | None,
) -> bool:
    retrieval, selection, load = (part.document for part in parts)
    talked.figures["recall@10"] = retrieval.figures["recall@10"]
    talked.figures["top1"] = selection.figures["top1"]
    talked.figures["load_messages_per_s"] = load.figures["completed_per_s"]
    stage = Stage(console)
    stage.heading("Figures")
    documents = [talked, retrieval, selection, load]
    print_summary(documents, console)
    problems = [said.problems(recalled(conversation, said)) for said in exchanges]
    sections = [conversation_section([said.went for said in exchanges], problems)]
    sections += [found for part in parts if (found := section_of(part.document, part.rows))]
    sections.append(summary_section(documents, "Every figure"))
    file = write_report(
        settings.home / "reports" / "demo.html", "The demo", sections, "harness demo"
    )
    keep_run(
        settings,
        talked,
        name="demo",
        files={"report.html": file.read_text("utf-8")},
        models=[resolve_model(None, settings)],
    )
    for part in parts:
        keep_evaluation(settings, part, f"demo: {part.document.command}")
    if json is not None:
        write_document(talked, json)
        console.print(f"figures    {json}")
    console.print(f"report     {file.resolve()}")
    console.print(f"runs       in MLflow, {settings.home / 'mlflow.db'}: `harness ui` shows them")
    console.print("next       make chat: the stack and a terminal chat")
    return all(exchange.went.status is Status.COMPLETED for exchange in exchanges)
