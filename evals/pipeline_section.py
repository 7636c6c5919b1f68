"""The section of a report on whole conversations."""

from typing import Any

import polars as pl

from evals.charts import mean_by_slice, slice_means
from evals.figures import Document, describe, shown, spread
from evals.report import Chart, Section, TableData

_SHOWN_MISSES = 8
_SHOWN_CHARACTERS = 200


def pipeline_section(document: Document, rows: pl.DataFrame) -> Section:
    """Scores by category, and some messages that fell short."""
    short = rows.filter(pl.col("score") < 1.0).sort("score")
    return Section(
        "Whole conversations",
        "Each case was had by a fresh user in a fresh thread: its messages went through the "
        "product's own API, and the answers were read from its subscription and scored by rules. "
        + _judge(document),
        charts=_charts(rows),
        closing=_misses(short) if short.height else None,
        origin=describe(document),
        simulated=document.simulated,
    )


def _judge(document: Document) -> str:
    """Who judged rubrics, and how far that can be trusted."""
    judge = document.settings.get("eval.judge")
    if judge is None:
        return "No model judged rubrics."
    agreement = document.figures.get("judge_agreement")
    if agreement is None:
        return f"Rubrics were judged by {judge}; how far it agrees with people is not known."
    kappa = document.figures["judge_kappa"]
    return (
        f"Rubrics were judged by {judge}, which agrees with {shown(agreement)} "
        f"({spread(agreement)}) of the labels that people gave; beyond chance, Cohen's kappa is "
        f"{shown(kappa)}, where 0 is what chance gives and 1 is agreement throughout."
    )


def _charts(rows: pl.DataFrame) -> tuple[Chart, ...]:
    """None where no message has a rule, only rubrics."""
    scored = rows.drop_nulls("score")
    if scored.is_empty():
        return ()
    means = slice_means(scored, "score", ["category"])
    return (
        Chart(
            mean_by_slice(means, "mean score of the answers"),
            f"{int(rows['completed'].sum())} of {rows.height} messages ended as they should. All "
            f"messages: {means[0]['value']:.2f}. Lines are 95 % intervals, over cases where there "
            "are enough of them.",
            "scores",
        ),
    )


def _misses(short: pl.DataFrame) -> TableData:
    rows = [_miss(row) for row in short.head(_SHOWN_MISSES).iter_rows(named=True)]
    return TableData(("message", "answer", "tools that ran", "score"), tuple(rows))


def _miss(row: dict[str, Any]) -> tuple[str, str, str, str]:
    ran = ", ".join(call["name"] for call in row["calls"]) or "none"
    answer = row["error"] or row["answer"][:_SHOWN_CHARACTERS]
    return row["question"], answer, ran, f"{row['score']:.2f}"
