"""Runs over the same samples, each held against the first: by metric, by slice, by sample."""

from collections.abc import Sequence

import polars as pl
from pydantic import BaseModel

from evals.clusters import cluster_labels, described_unit
from evals.figures import Figure
from evals.pairing import Run, check_same, pair, paired_metrics
from evals.statistics import Comparison, compare_paired, holm
from harness.errors import HarnessError

SLICES = ("category", "words", "none_needed")  # where a task has them
TEXTS = ("question", "query", "text", "input")  # what tasks call that which was asked
MOST_CHANGED = 10
MOST_VALUES = 50  # of a slice; a column with more is no grouping


class MetricComparison(BaseModel):
    """One metric of a run against the first run, over the samples where both define it.

    `p_holm` is adjusted for all metrics and runs compared. `slice` is empty for the whole set;
    slices have no p-value, for they are for finding things and not for testing them.
    """

    run: str
    metric: str
    slice: str = ""
    n: int
    before: float
    after: float
    difference: float
    low: float
    high: float
    wins: int
    ties: int
    losses: int
    detectable: float
    test: str | None = None
    p: float | None = None
    p_holm: float | None = None

    def figure(self) -> Figure:
        """What was gained, as a figure."""
        return Figure(value=self.difference, unit="", low=self.low, high=self.high, n=self.n)


class ChangedSample(BaseModel):
    """A sample that a run answers better or worse than the first run."""

    run: str
    sample: str
    text: str
    before: float
    after: float


class Compared(BaseModel):
    """Everything that `harness compare` says, and what its `--json FILE` holds.

    `runs` are ids by label; `unit` is what intervals and tests are over; `differing` says in what
    the runs' data differ.
    """

    runs: dict[str, str]
    unit: str
    metrics: list[MetricComparison]
    slices: list[MetricComparison]
    changed: list[ChangedSample]
    differing: list[str]
    missed: list[str] = []

    def headline(self) -> str:
        """The metric that slices and samples are shown by: the first."""
        return self.metrics[0].metric

    def gained(self, run: str) -> dict[str, Figure]:
        """What a run gained in each metric."""
        return {item.metric: item.figure() for item in self.metrics if item.run == run}


def compare_runs(
    runs: Sequence[Run],
    *,
    slices: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    anyway: bool = False,
) -> Compared:
    """Compare runs with the first of them, paired by sample.

    Args:
        runs: at least two.
        slices: columns of the rows to group by; by default `SLICES`.
        metrics: which to compare, the most important first; by default all that can be paired.
        anyway: pair the samples that runs of different data share.

    Raises:
        HarnessError: the runs have different data, or lack a metric or a column that is asked for.
    """
    first, *others = runs
    differing = check_same(runs, anyway=anyway)
    whole: list[MetricComparison] = []
    parts: list[MetricComparison] = []
    changed: list[ChangedSample] = []
    unit = ""
    for other in others:
        names = _metrics(first, other, metrics)
        pairs = pair(first, other, names)
        unit = unit or described_unit(pairs)
        compared = [_compare(pairs, other.label, name) for name in names]
        whole += [item for item in compared if item is not None]
        parts += _by_slice(pairs, other.label, names, _slices(pairs, slices))
        changed += _most_changed(pairs, other.label, names)
    adjusted = holm([item.p for item in whole if item.p is not None])
    whole = [item.model_copy(update={"p_holm": p}) for item, p in zip(whole, adjusted, strict=True)]
    if not whole:
        raise HarnessError("the runs have no metric in common that has a value for a sample")
    return Compared(
        runs={run.label: run.id for run in runs},
        unit=unit,
        metrics=whole,
        slices=parts,
        changed=changed,
        differing=differing,
    )


def _metrics(a: Run, b: Run, wanted: Sequence[str] | None) -> list[str]:
    there = paired_metrics(a, b)
    for name in wanted or ():
        if name not in there:
            raise HarnessError(
                f"--metric {name!r} has no value for each sample of {a.label} and {b.label}",
                f"There are: {', '.join(there)}.",
            )
    return list(wanted or there)


def _slices(pairs: pl.DataFrame, wanted: Sequence[str] | None) -> list[str]:
    if wanted is None:
        return [name for name in SLICES if name in pairs.columns]
    for name in wanted:
        if name not in pairs.columns or pairs[name].dtype.is_nested():
            kept = [each for each in pairs.columns if not pairs[each].dtype.is_nested()]
            raise HarnessError(
                f"--slice {name!r} is no column that samples can be grouped by",
                f"There are: {', '.join(each for each in kept if not each.endswith(':b'))}.",
            )
        if pairs[name].n_unique() > MOST_VALUES:
            raise HarnessError(
                f"--slice {name!r} has {pairs[name].n_unique()} values, at most {MOST_VALUES} "
                "can be read",
            )
    return list(wanted)


def _compare(pairs: pl.DataFrame, run: str, metric: str, part: str = "") -> MetricComparison | None:
    # A metric need not be defined for every sample: recall has no meaning where no tool is needed.
    both = pairs.drop_nulls([metric, f"{metric}:b"])
    if both.is_empty():
        return None
    before, after = both[metric].to_numpy(), both[f"{metric}:b"].to_numpy()
    found: Comparison = compare_paired(before, after, clusters=cluster_labels(both))
    return MetricComparison(
        run=run,
        metric=metric,
        slice=part,
        n=both.height,
        before=float(before.mean()),
        after=float(after.mean()),
        difference=found.difference.value,
        low=found.difference.low,
        high=found.difference.high,
        wins=found.wins,
        ties=found.ties,
        losses=found.losses,
        detectable=found.detectable,
        test=None if part else found.test,
        p=None if part else found.p,
    )


def _by_slice(
    pairs: pl.DataFrame, run: str, metrics: Sequence[str], slices: Sequence[str]
) -> list[MetricComparison]:
    found = [
        _compare(group, run, metric, f"{column}: {key[0]}")
        for column in slices
        for key, group in sorted(pairs.group_by(column), key=lambda item: str(item[0]))
        for metric in metrics
    ]
    return [item for item in found if item is not None]


def _most_changed(pairs: pl.DataFrame, run: str, metrics: Sequence[str]) -> list[ChangedSample]:
    """The samples that moved most in the first metric, and where equal in all of them."""
    first = metrics[0]
    moves = [(pl.col(f"{name}:b") - pl.col(name)).abs().fill_null(0) for name in metrics]
    ranked = (
        pairs.with_columns(moves[0].alias(":first"), pl.sum_horizontal(moves).alias(":all"))
        .filter(pl.col(":first") > 0)
        .sort(":first", ":all", "sample", descending=[True, True, False])
        .head(MOST_CHANGED)
    )
    text = next((name for name in TEXTS if name in pairs.columns), "sample")
    return [
        ChangedSample(
            run=run,
            sample=row["sample"],
            text=str(row[text]),
            before=row[first],
            after=row[f"{first}:b"],
        )
        for row in ranked.iter_rows(named=True)
    ]
