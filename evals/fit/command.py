"""`harness fit`: the weights that a deployment decides with, from its own data."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from evals.fit.tools import fit_tools
from harness.settings import Settings, get_settings

if TYPE_CHECKING:  # importing these takes seconds
    from evals.datasets.loader import ConversationSet
    from evals.figures import Figure
    from evals.fit.retrieval import Fit, Sample

app = typer.Typer(no_args_is_help=True, help="Fit what the pipeline decides with.")
app.command("tools")(fit_tools)
MOST_FEEDBACK = 5000


@app.command("retrieval")
def fit_retrieval(
    dataset: Annotated[
        str, typer.Option("--dataset", help="Name of a dataset of conversations.")
    ] = "conversations",
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Holds one folder for each dataset.")
    ] = None,
    feedback: Annotated[
        bool,
        typer.Option("--feedback", help="Fit to what users of the running stack found helpful."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="The ranker's file; default: in the home.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Also write the figures to this file.")
    ] = None,
) -> None:
    """Fit how retrieval weighs its signals, and check it on what the fit has not seen.

    Only the split tune of a dataset is fitted to: what is reported on must stay unseen.
    """
    settings, console = get_settings(), Console()
    if feedback:
        samples, name, info = asyncio.run(_from_feedback(settings)), "feedback", None
    else:
        from evals.datasets.loader import load_conversations

        data = load_conversations("tune", name=dataset, data_dir=data_dir)
        samples = asyncio.run(_from_conversations(settings, data, console))
        name, info = f"{dataset}/{data.info.split} {data.info.sha256[:12]}", data.info
    from evals.figures import build_document, print_figures, public_settings, write_document
    from evals.fit.retrieval import fit

    found = fit(samples, name)
    document = build_document(
        "fit retrieval", _figures(found), public_settings(settings), dataset=info
    )
    print_figures(document, console)
    if json:
        write_document(document, json)
    path = out or settings.home / "ranker.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(found.ranker.model_dump_json(indent=2) + "\n", "utf-8")
    console.print(f"wrote {path}; HARNESS_RANKER={path} uses it", soft_wrap=True)


async def _from_conversations(
    settings: Settings, data: "ConversationSet", console: Console
) -> "list[Sample]":
    import chromadb
    from chromadb.config import Settings as ChromaSettings

    from evals.fit.retrieval import judge_conversations
    from harness.context.embeddings import build_embedder

    turns = sum(len(thread) for thread in data.threads.values())
    console.print(f"indexing {turns} messages, asking {len(data.questions)} questions")
    embedder = await asyncio.to_thread(build_embedder, settings)
    client = chromadb.EphemeralClient(ChromaSettings(anonymized_telemetry=False))
    try:
        return await judge_conversations(data, client, embedder)
    finally:
        embedder.close()


async def _from_feedback(settings: Settings) -> "list[Sample]":
    from evals.fit.retrieval import judge_feedback
    from harness.errors import HarnessError
    from harness.local.supervisor import running_settings
    from harness.services import build_services

    running = running_settings(settings.home)
    if running is None:
        raise HarnessError("no stack runs here to read feedback from", "Start it: `harness up`.")
    async with await build_services(running) as services:
        return await judge_feedback(services.store, services.memory, MOST_FEEDBACK)


def _figures(found: "Fit") -> "dict[str, Figure]":
    from evals.figures import figure, interval_figure
    from evals.statistics import mean_interval

    figures = {
        f"weight_{name}": figure(weight, "") for name, weight in found.ranker.weights.items()
    }
    if len(found.fitted):
        figures["recall@10"] = interval_figure(mean_interval(found.fitted), "")
        figures["recall@10_by_hand"] = interval_figure(mean_interval(found.by_hand), "")
    return figures | {"queries": figure(found.ranker.queries, "queries")}
