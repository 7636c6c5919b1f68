"""Tool selection: does the production selector offer the right tools, and none where none serves?

The selector is that of the pipeline, given the catalogue of the dataset; no language model and no
service takes part. The tools have descriptions and no examples, so this is zero-shot unless it is
given exemplars: requests of another split, with their tools. Those that are much like one are then
told apart, and what is right of the others is a figure of its own.
"""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext

import polars as pl
from rich.console import Console

from evals.clusters import cluster_labels
from evals.datasets.loader import ToolQuery, ToolSet
from evals.datasets.near import near_duplicates
from evals.embedding import embedder_engines
from evals.figures import Figure, build_document, figure, interval_figure, public_settings
from evals.journal import Row
from evals.metrics.selection import abstain_precision, abstain_recall, ece, recall_at, top_k_hit
from evals.plan import WHOLE, Plan
from evals.runner import Measuring, run_samples
from evals.statistics import bootstrap
from evals.tasks.result import (
    Evaluation,
    failure_figure,
    first_repeat,
    latency_figures,
    mean_figures,
    sample_settings,
)
from harness.context.embeddings import CachedEmbedder
from harness.models import Effect
from harness.services import Services
from harness.tools.exemplars import votes_of
from harness.tools.registry import ToolSpec
from harness.tools.selection import ToolSelector
from harness.tools.votes import Votes

TASK = "eval tools"
RANKED = ("top1", "top3", "recall@1", "recall@5", "recall@10")
DEPTH = 10
TIMEOUT_S = 30.0


async def evaluate_tools(
    services: Services,
    data: ToolSet,
    *,
    console: Console,
    plan: Plan = WHOLE,
    exemplars: Sequence[tuple[str, str]] = (),
) -> Evaluation:
    """Select for each request and score ranking, abstention and calibration.

    Requests are served one at a time, so that latencies are those of an idle system.

    Args:
        services: the production parts; the selector is made anew over the catalogue of the set.
        data: catalogue and requests of one split.
        console: where progress goes.
        plan: which requests are measured, and how often.
        exemplars: requests and the tools that served them, none of them of the split.
    """
    started = time.perf_counter()
    settings = services.settings
    embedder = services.memory.embedder
    selector = ToolSelector(embedder, catalogue_specs(data))
    await selector.prepare()
    votes = await votes_of(exemplars, embedder)
    queries = plan.select(data.queries)

    async def measure(query: ToolQuery, _seed: int) -> Row:
        return await _select(selector, query, settings.tools_offered, votes)

    journal = plan.open_journal(TASK, settings, data.info, console, exemplars=len(exemplars))
    with journal or nullcontext():
        rows = await run_samples(
            queries,
            Measuring(measure, _failed, TIMEOUT_S),
            label="tools",
            console=console,
            in_flight=1,
            repeats=plan.repeats,
            journal=journal,
        )
    if exemplars:
        rows = await _compared(rows, [text for text, _ in exemplars], embedder)
    figures = _figures(rows) | {"seconds": figure(time.perf_counter() - started, "s")}
    record = public_settings(settings) | sample_settings(
        requests=len(queries),
        catalogue=len(data.tools),
        exemplars=len(exemplars),
        **plan.settings(),
        **data.info.notes,
    )
    document = build_document(
        TASK,
        figures,
        record,
        engines=embedder_engines(settings),
        dataset=data.info,
    )
    return Evaluation(document, rows, journal)


def catalogue_specs(data: ToolSet) -> list[ToolSpec]:
    """The catalogue as the registry would describe it; none of these tools can be run."""
    return [
        ToolSpec(
            name=tool.name,
            description=tool.description,
            parameters=tool.parameters,
            effect=Effect.READ,
        )
        for tool in data.tools
    ]


def exemplars_of(data: ToolSet, most: int) -> list[tuple[str, str]]:
    """The first requests of each tool, with the tool.

    Args:
        data: another split than the one that is measured.
        most: requests a tool.
    """
    taken: Counter[str] = Counter()
    found = []
    for query in data.queries:
        for tool in query.tools:
            if taken[tool] < most:
                taken[tool] += 1
                found.append((query.text, tool))
    return found


async def _compared(
    rows: pl.DataFrame, learned: Sequence[str], embedder: CachedEmbedder
) -> pl.DataFrame:
    """The rows with a column that tells those whose request is much like one learned from."""
    near = await near_duplicates(rows["query"].to_list(), learned, embedder)
    return rows.with_columns(pl.Series("near_duplicate", near, pl.Boolean))


async def _select(selector: ToolSelector, query: ToolQuery, offered: int, votes: Votes) -> Row:
    started = time.perf_counter()
    selection = await selector.select(query.text, offered, votes=votes)
    select_ms = (time.perf_counter() - started) * 1000
    ranked = [each.name for each in selection.scores]
    names = [candidate.name for candidate in selection.candidates]
    chosen = names[0] if selection.needed and names else None
    return (
        _columns(query)
        | _ranking(query, ranked)
        | {
            "ranked": ranked[:DEPTH],
            "offered": names,
            "chosen": chosen,
            "abstained": float(not selection.needed),
            "accuracy": float(chosen in query.tools if query.tools else chosen is None),
            "offered_recall": recall_at(names, query.tools, len(names)) if query.tools else None,
            "confidence": selection.scores[0].score,
            "correct": float(ranked[0] in query.tools),
            "select_ms": select_ms,
        }
    )


def _ranking(query: ToolQuery, ranked: list[str]) -> Row:
    """Scores of the ranking, which only exist where a tool is needed."""
    if not query.tools:
        return dict.fromkeys(RANKED)
    return {
        "top1": top_k_hit(ranked, query.tools, 1),
        "top3": top_k_hit(ranked, query.tools, 3),
        **{f"recall@{k}": recall_at(ranked, query.tools, k) for k in (1, 5, 10)},
    }


def _failed(query: ToolQuery) -> Row:
    """A failed selection is wrong in every count: for its ranking, its abstention, its certainty.

    The pipeline would have offered nothing, which is right by accident where nothing is needed,
    so the failure is counted as the opposite of what was wanted.
    """
    return (
        _columns(query)
        | _ranking(query, [])
        | {
            "ranked": [],
            "offered": [],
            "chosen": None,
            "abstained": float(bool(query.tools)),
            "accuracy": 0.0,
            "offered_recall": 0.0 if query.tools else None,
            "confidence": 1.0,
            "correct": 0.0,
            "select_ms": None,
        }
    )


def _columns(query: ToolQuery) -> Row:
    return {
        "query": query.text,
        "category": query.category,
        "gold": list(query.tools),
        "none_needed": float(not query.tools),
    }


def _figures(rows: pl.DataFrame) -> dict[str, Figure]:
    needing = rows.filter(pl.col("none_needed") == 0.0)
    abstained, none_needed = rows["abstained"].to_numpy(), rows["none_needed"].to_numpy()
    whole = {
        "abstain_precision": abstain_precision(abstained, none_needed),
        "abstain_recall": abstain_recall(abstained, none_needed),
        "ece": ece(rows["confidence"].to_numpy(), rows["correct"].to_numpy()),
    }
    clusters = cluster_labels(rows)
    figures = mean_figures(needing, RANKED)
    for (category,), part in needing.drop_nulls("category").group_by(
        "category", maintain_order=True
    ):
        if part.height < needing.height:
            means = mean_figures(part, ["top1", "top3"])
            figures |= {f"{name}_{category}": mean for name, mean in means.items()}
    if "near_duplicate" in rows.columns:
        figures |= _unseen_figures(needing)
    figures |= mean_figures(needing, ["offered_recall"])
    figures |= mean_figures(rows, ["accuracy"])
    figures |= {
        name: interval_figure(bootstrap(rows.height, statistic, clusters=clusters), "")
        for name, statistic in whole.items()
    }
    figures |= latency_figures(first_repeat(rows), "select_ms", "select")
    return figures | failure_figure(rows)


def _unseen_figures(needing: pl.DataFrame) -> dict[str, Figure]:
    """How many requests are much like an exemplar, and what is right of the others."""
    unseen = needing.filter(~pl.col("near_duplicate"))
    near = needing.height - unseen.height
    figures = {"near_duplicates": figure(near, "requests", needing.height)}
    if unseen.height:
        means = mean_figures(unseen, ["top1", "top3"])
        figures |= {f"{name}_unseen": mean for name, mean in means.items()}
    return figures
