"""Kept runs side by side, sample by sample: what makes them comparable, and what does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import polars as pl

from evals.figures import OF_RUNS, Document
from harness.errors import HarnessError


@dataclass(frozen=True)
class Run:
    """A kept run; its label, such as `B`, is how tables call it."""

    id: str
    label: str
    document: Document
    rows: pl.DataFrame


def label_runs(kept: Sequence[tuple[str, Document, pl.DataFrame | None]]) -> list[Run]:
    """Runs A, B, C and so on, of ids, documents and rows in their order.

    Raises:
        HarnessError: a run kept no rows, or there are fewer than two or too many.
    """
    if not 2 <= len(kept) <= len(ascii_uppercase):
        raise HarnessError(
            f"{len(kept)} runs can not be compared", f"Name 2 to {len(ascii_uppercase)} of them."
        )
    runs = []
    for label, (run_id, document, rows) in zip(ascii_uppercase, kept, strict=False):
        if rows is None or "sample" not in rows.columns:
            raise HarnessError(
                f"run {run_id!r} kept no rows of samples", "Name a run of `harness eval`."
            )
        runs.append(Run(run_id, label, document, rows))
    return runs


def differences(a: Run, b: Run) -> list[str]:
    """In what the data of two runs differ, one line each; nothing where they can be paired."""
    one, other = a.document.dataset, b.document.dataset
    checks = [
        ("task", a.document.command, b.document.command),
        ("dataset", one and one.name, other and other.name),
        ("split", one and one.split, other and other.split),
        ("data (sha256)", one and one.sha256[:12], other and other.sha256[:12]),
    ]
    found = [
        f"{what}: {first!r} in {a.label}, {second!r} in {b.label}"
        for what, first, second in checks
        if first != second
    ]
    asked_a, asked_b = set(a.rows["sample"]), set(b.rows["sample"])
    for only, run in ((asked_a - asked_b, a), (asked_b - asked_a, b)):
        if only:
            found.append(f"samples: {len(only)} only in {run.label}, such as {min(only)!r}")
    return found


def check_same(runs: Sequence[Run], *, anyway: bool) -> list[str]:
    """What differs between the first run and the others; nothing, unless told to go on anyway.

    Raises:
        HarnessError: they differ and may not, or have no sample in common.
    """
    first, *others = runs
    found = [line for other in others for line in differences(first, other)]
    if found and not anyway:
        raise HarnessError(
            f"the runs differ in {'; '.join(found)}",
            "Compare runs over the same data, split and --limit, or pair what they share: "
            "--anyway.",
        )
    for other in others:
        if set(first.rows["sample"]).isdisjoint(other.rows["sample"]):
            raise HarnessError(
                f"{first.label} and {other.label} have no sample in common",
                "Only runs over the same samples can be paired.",
            )
    return found


def paired_metrics(a: Run, b: Run) -> list[str]:
    """The figures that both runs have a number of for each sample, in their order."""
    return [
        name
        for name in a.document.figures
        if name not in OF_RUNS
        and all(name in run.rows.columns and run.rows[name].dtype.is_numeric() for run in (a, b))
    ]


def pair(a: Run, b: Run, metrics: Sequence[str]) -> pl.DataFrame:
    """One row a sample that both runs have; B's metrics are named with `:b`.

    Repeats of a sample become their mean; the other columns are as in A.
    """
    shared = a.rows.join(b.rows, on="sample", how="semi")
    rest = [name for name in shared.columns if name not in metrics and name != "sample"]
    ours = shared.group_by("sample", maintain_order=True).agg(
        pl.col(list(metrics)).mean(), pl.col(rest).first()
    )
    theirs = b.rows.group_by("sample").agg(
        pl.col(name).mean().alias(f"{name}:b") for name in metrics
    )
    return ours.join(theirs, on="sample", maintain_order="left")
