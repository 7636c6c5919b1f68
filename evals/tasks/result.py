"""What every task hands back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import polars as pl

from evals.clusters import cluster_labels
from evals.figures import Document, Figure, figure, interval_figure
from evals.journal import Journal
from evals.recorded import MessageRecord
from evals.statistics import bootstrap, mean_interval, quantile_statistic, share_interval
from harness.llm.models import ModelSpec

T = TypeVar("T")
_NO_SHARES = frozenset({"cost"})  # whose unit is whatever prices are in


@dataclass(frozen=True)
class Evaluation:
    """A finished task: its figures, one row a sample and repeat, and where those were kept.

    Attributes:
        records: of the messages behind the rows, by their `message_key`, to trace them.
        scores: which columns say how good an answer was.
        models: that answered, whose prompt templates are kept.
    """

    document: Document
    rows: pl.DataFrame
    journal: Journal | None = None
    records: tuple[MessageRecord, ...] = ()
    scores: tuple[str, ...] = ()
    models: tuple[ModelSpec, ...] = ()


def spread_evenly(samples: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` samples at even distances, so that a small run sees every part of the set."""
    if limit is None or limit >= len(samples):
        return list(samples)
    return [samples[index * len(samples) // limit] for index in range(limit)]


def mean_figures(rows: pl.DataFrame, names: Sequence[str], unit: str = "") -> dict[str, Figure]:
    """The mean of each column with its interval, over conversations where samples share them.

    Args:
        rows: of a run.
        names: of columns.
        unit: of their values; without one they are shares, from 0 to 1.
    """
    clusters = cluster_labels(rows)
    figures = {}
    for name in names:
        of = mean_interval if unit or name in _NO_SHARES else share_interval
        figures[name] = interval_figure(of(rows[name].to_numpy(), clusters=clusters), unit)
    return figures


def latency_figures(rows: pl.DataFrame, column: str, prefix: str) -> dict[str, Figure]:
    """Median and 95th percentile of a column of milliseconds, over samples that did not fail."""
    answered = rows.filter(pl.col("error").is_null())
    values, clusters = answered[column].to_numpy(), cluster_labels(answered)
    return {
        f"{prefix}_p{percent}_ms": interval_figure(
            bootstrap(len(values), quantile_statistic(values, percent / 100), clusters=clusters),
            "ms",
        )
        for percent in (50, 95)
    }


def first_repeat(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of samples that were measured for the first time: later ones find what these embedded.

    Args:
        rows: of a task that embeds what is asked, and whose latency holds that.
    """
    return rows.filter(pl.col("repeat") == 0)


def failure_figure(rows: pl.DataFrame) -> dict[str, Figure]:
    """How many samples failed; each of them counts as a miss in every other figure."""
    return {"failed": figure(rows["error"].count(), "samples", rows.height)}


def sample_settings(**settings: Any) -> dict[str, Any]:
    """Settings of the eval itself, kept apart from the product's by their prefix."""
    return {f"eval.{name}": value for name, value in settings.items()}
