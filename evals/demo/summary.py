"""The demo's one table: what came out, and what produced each figure."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from evals.figures import Document, shown, spread

# Enough to see whether the pipeline is well; the report has every figure.
KEY_FIGURES = {
    "demo": (
        "messages_completed",
        "messages_failed",
        "tool_calls_right",
        "as_expected",
        "stack_memory_mb",
    ),
    "eval retrieval": ("recall@5", "recall@10", "mrr@10", "gather_p50_ms"),
    "eval tools": ("top1", "top3", "abstain_recall", "select_p50_ms"),
    "load": (
        "offered_per_s",
        "completed_per_s",
        "errors",
        "ack_p50_ms",
        "visible_p50_ms",
        "completed_p95_ms",
    ),
}


def print_summary(documents: Sequence[Document], console: Console) -> None:
    """Print one table of the key figures, each with its unit and what it rests on."""
    table = Table(title="What this machine did", title_justify="left")
    for heading in ("measured by", "figure"):
        table.add_column(heading)
    for heading in ("value", "95 % interval", "n"):
        table.add_column(heading, justify="right")
    table.add_column("produced by", overflow="fold")
    for document in documents:
        rests_on = produced_by(document)
        for name in KEY_FIGURES[document.command]:
            item = document.figures[name]
            count = "" if item.n is None else str(item.n)
            table.add_row(document.command, name, shown(item), spread(item), count, rests_on)
        table.add_section()
    console.print(table)
    console.print(
        "The local model is for plumbing: no figure here says how good its answers are. Figures of "
        "the simulated model are about speed alone.",
        style="dim",
    )


def produced_by(document: Document) -> str:
    """The model, or the embedder where no model took part, and the engines."""
    engines = dict(document.engines)
    parts = [engines.pop(name) for name in ("model", "embedder") if name in engines]
    if engines:
        parts.append("local " + ", ".join(sorted(engines)))
    return " on ".join(parts)
