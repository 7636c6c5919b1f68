"""The demo's one table: what came out, and what produced each figure."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from evals.figures import Document, shown, spread
from harness.settings import LOCAL_MODEL

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
    """Print one table of the key figures, each with its unit and what produced it."""
    table = Table(
        title="What this machine did", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column("produced by", overflow="fold")
    for document in documents:
        table.add_row(f"[bold]{document.command}")
        by = document.engines.get("model") or document.engines["embedder"]
        for name in KEY_FIGURES[document.command]:
            item = document.figures[name]
            table.add_row(name, shown(item), spread(item), by)
        table.add_section()
    console.print(table)
    engines = {part: how for document in documents for part, how in document.engines.items()}
    parts = [f"{part} {engines[part]}" for part in ("inngest", "convex", "chroma")]
    console.print(
        f"On {', '.join(parts)}. {LOCAL_MODEL} is for plumbing: no figure here says how good its "
        "answers are. Figures of the simulated model are about speed alone.",
        style="dim",
        highlight=False,
    )
