"""The sections of a report: what was measured, drawn and read in a sentence each."""

from dataclasses import replace
from typing import Any

import polars as pl

from evals.calls_section import calls_section
from evals.charts import (
    NO_TOOL,
    confusions,
    first_ranks,
    load_latency,
    mean_by_slice,
    reliability_diagram,
    slice_means,
)
from evals.figures import Document, describe
from evals.metrics.ranking import DEPTH
from evals.metrics.selection import reliability
from evals.pipeline_section import pipeline_section
from evals.report import Chart, Section, TableData, summary_section
from evals.selection_parts import number_table, reliability_by_number, tool_table
from evals.statistics import bootstrap, quantile_statistic
from evals.sweep.section import sweep_section

_SHOWN_MISSES = 8


def sections_of(document: Document, rows: pl.DataFrame | None, called: str = "") -> list[Section]:
    """A run's figures and, where it has one, its drawing.

    Args:
        document: of the run.
        rows: that it kept.
        called: what comes before their titles on a page of several runs.
    """
    drawn = section_of(document, rows)
    summary = summary_section([document], f"{called}{document.command}" if called else "Summary")
    return [summary, *([replace(drawn, title=f"{called}{drawn.title}")] if drawn else [])]


def section_of(document: Document, rows: pl.DataFrame | None) -> Section | None:
    """The section that fits a measurement; None when it has no drawing of its own."""
    if rows is None or rows.is_empty():
        return None
    if document.command == "eval retrieval":
        return retrieval_section(document, rows)
    if document.command == "eval tools":
        return selection_section(document, rows)
    if document.command == "eval calls":
        return calls_section(document, rows)
    if document.command == "eval pipeline":
        return pipeline_section(document, rows)
    if document.command.startswith("sweep "):
        return sweep_section(document, rows)
    if document.command.startswith("load"):
        return load_section(document, rows)
    return None


def retrieval_section(document: Document, rows: pl.DataFrame) -> Section:
    """Recall by slice, the rank of the first evidence, and some questions that found nothing."""
    means = slice_means(rows, "recall@10", ["words", "category"])
    first = rows["first_rank"].to_list()
    found_first = sum(rank == 1 for rank in first)
    missed = rows.filter(pl.col("first_rank").is_null())
    return Section(
        "Context retrieval",
        "Conversations were written through the store and indexed by the pipeline's own step; each "
        "question was asked in a new thread through the production gather step, and the memories "
        "that it would show a model were scored against the messages that hold the answer.",
        charts=(
            Chart(
                mean_by_slice(means, f"recall@10: share of evidence in the first {DEPTH}"),
                f"All questions: {means[0]['value']:.2f}. Lines are 95 % intervals; where two "
                "overlap widely this set cannot tell them apart. Questions with words: none share "
                "no content word with their evidence.",
                "recall",
            ),
            Chart(
                first_ranks(first, DEPTH),
                f"{found_first} of {len(first)} questions had evidence in first place; "
                f"{missed.height} had none among the first {DEPTH}.",
                "first-rank",
            ),
        ),
        closing=_misses(missed) if missed.height else None,
        origin=describe(document),
    )


def _misses(missed: pl.DataFrame) -> TableData:
    rows = [
        (row["question"], ", ".join(row["gold"]), row["error"] or "not among those shown")
        for row in missed.head(_SHOWN_MISSES).iter_rows(named=True)
    ]
    return TableData(("question without evidence", "evidence", "why"), tuple(rows))


def selection_section(document: Document, rows: pl.DataFrame) -> Section:
    """Which tools are confused, and whether stated confidence can be believed."""
    pairs = [
        (_wanted(row), row["chosen"] or NO_TOOL)
        for row in rows.iter_rows(named=True)
        if row["error"] is None
    ]
    wrong = sum(wanted != chosen for wanted, chosen in pairs)
    judged = rows.filter(pl.col("error").is_null())
    bins = reliability(judged["confidence"].to_numpy(), judged["correct"].to_numpy())
    high = [item for item in bins if item.low >= 0.5]
    sure = sum(item.n for item in high)
    right = sum(item.n * item.accuracy for item in high)
    by_number = reliability_by_number(judged)
    return Section(
        "Tool selection",
        "Each request went through the production selector over the catalogue of the set; no "
        "language model took part. Selection decides whether and which tools are offered.",
        charts=(
            Chart(
                confusions(pairs),
                f"{wrong} of {len(pairs)} requests were offered another first tool than meant, or "
                "one where none was. Only tools that were ever confused are shown; "
                f"{NO_TOOL} stands for offering none.",
                "confusion",
            ),
            Chart(
                reliability_diagram(by_number or {"all": bins}),
                "On the dashed line confidence and accuracy agree; dots below it were too sure. "
                f"Of {sure} decisions made with a confidence of at least 0.5, "
                f"{right / max(1, sure):.0%} were right."
                + (" Colours are how many tools serve a request." if by_number else ""),
                "calibration",
            ),
        ),
        table=number_table(judged) if judged.height else None,
        closing=tool_table(judged) if judged.height else None,
        origin=describe(document),
    )


def _wanted(row: dict[str, Any]) -> str:
    """The tool to hold a choice against: the chosen one where several serve."""
    if not row["gold"]:
        return NO_TOOL
    return str(row["chosen"] if row["chosen"] in row["gold"] else row["gold"][0])


def load_section(document: Document, samples: pl.DataFrame) -> Section:
    """Latency over a load run.

    Args:
        document: of the run.
        samples: one row a message, as `evals.charts.load_latency` takes them.
    """
    done = samples["completed_ms"].drop_nulls()
    reading = "No message was completed."
    if len(done):
        values = done.to_numpy()
        median = bootstrap(len(values), quantile_statistic(values, 0.5))
        reading = (
            f"{len(done)} of {samples.height} messages completed; half of them within "
            f"{median.value:.0f} ms of when they were due. A rising cloud means that the "
            "system falls behind."
        )
    return Section(
        "Load",
        "Messages were sent on an open-loop schedule: they arrive whether or not earlier ones are "
        "answered, and latencies count from when a message was due.",
        charts=(Chart(load_latency(samples), reading, "latency"),),
        origin=describe(document),
        simulated=document.simulated,
    )
