"""The charts of reports and notebooks: each says its units, and data come as plain rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from evals.clusters import cluster_labels
from evals.metrics.selection import Bin
from evals.statistics import share_interval

WIDTH = 780  # px with labels and all, so that no chart outgrows the report's column
INK = "#22303c"
ACCENT = "#1f6f8b"
WARM = "#d1603d"
PALETTE = ["#1f6f8b", "#d1603d", "#7a9e3f", "#8d6a9f", "#c9a227", "#5b6c7d"]
SCATTER_POINTS = 2000  # more would be drawn over each other and only make the page heavy
NO_TOOL = "(no tool)"


def slice_means(rows: pl.DataFrame, metric: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Mean and 95 % interval of a metric over all rows and for each value of some columns."""
    groups: list[tuple[str, pl.DataFrame]] = [("all", rows)]
    for column in columns:
        groups += [
            (f"{column}: {key[0]}", group)
            for key, group in sorted(rows.group_by(column), key=lambda item: str(item[0]))
        ]
    means = []
    for label, group in groups:
        interval = share_interval(group[metric].to_numpy(), clusters=cluster_labels(group))
        means.append(
            {
                "slice": f"{label} (n={interval.n})",
                "value": interval.value,
                "low": interval.low,
                "high": interval.high,
            }
        )
    return means


def mean_by_slice(means: Sequence[dict[str, Any]], title: str) -> alt.Chart:
    """Dots with 95 % intervals, one line a slice, in the order given; values are shares."""
    base = alt.Chart(alt.InlineData(values=list(means))).encode(
        y=alt.Y("slice:N", sort=None, title=None, axis=alt.Axis(labelLimit=250))
    )
    scale = alt.Scale(domain=[0, 1])
    lines = base.mark_rule(color=ACCENT, strokeWidth=2).encode(
        x=alt.X("low:Q", scale=scale, title=title), x2="high:Q"
    )
    dots = base.mark_circle(color=ACCENT, size=90, opacity=1).encode(
        x=alt.X("value:Q", scale=scale),
        tooltip=[
            alt.Tooltip("slice:N"),
            *(alt.Tooltip(f"{key}:Q", format=".3f") for key in ("value", "low", "high")),
        ],
    )
    return sized(lines + dots, height=26 * len(means))


def first_ranks(ranks: Sequence[int | None], depth: int) -> alt.Chart:
    """How many questions found their first evidence at each rank, or not at all (None)."""
    order = [*(str(rank) for rank in range(1, depth + 1)), "not found"]
    labels = ["not found" if rank is None else str(rank) for rank in ranks]
    counted = [{"rank": label, "questions": labels.count(label)} for label in order]
    chart = (
        alt.Chart(alt.InlineData(values=counted))
        .mark_bar()
        .encode(
            x=alt.X("rank:N", sort=order, title="rank of the first evidence", axis=_flat()),
            y=alt.Y("questions:Q", title="questions", axis=alt.Axis(tickMinStep=1)),
            color=alt.condition("datum.rank === 'not found'", alt.value(WARM), alt.value(ACCENT)),
            tooltip=["rank:N", "questions:Q"],
        )
    )
    return sized(chart, height=220)


def confusions(pairs: Sequence[tuple[str, str]]) -> alt.Chart:
    """A heat map of wanted against chosen tools, limited to tools that were ever confused.

    Args:
        pairs: wanted and chosen, one pair a request; `NO_TOOL` for none.
    """
    mixed = {name for wanted, chosen in pairs if wanted != chosen for name in (wanted, chosen)}
    kept = [pair for pair in pairs if pair[0] in mixed and pair[1] in mixed]
    counted = [
        {"wanted": w, "chosen": c, "requests": kept.count((w, c)), "right": w == c}
        for w, c in sorted(set(kept))
    ]
    base = alt.Chart(alt.InlineData(values=counted)).encode(
        x=alt.X("chosen:N", title="first tool offered", axis=alt.Axis(labelAngle=-40)),
        y=alt.Y("wanted:N", title="tool that was meant"),
    )
    cells = base.mark_rect().encode(
        color=alt.condition("datum.right", alt.value("#cfe3d8"), alt.value("#f3c9ba")),
        tooltip=["wanted:N", "chosen:N", "requests:Q"],
    )
    return sized(
        cells + base.mark_text(color=INK).encode(text="requests:Q"), height=18 * len(mixed) + 20
    )


def reliability_diagram(groups: Mapping[str, Sequence[Bin]]) -> alt.Chart:
    """Share of right answers against stated confidence; on the diagonal the two agree.

    Args:
        groups: the bins of each group of samples, by the group's name.
    """
    rows = [
        {
            "group": group,
            "confidence": bin_.confidence,
            "accuracy": bin_.accuracy,
            "requests": bin_.n,
        }
        for group, bins in groups.items()
        for bin_ in bins
    ]
    names = list(groups)
    scale = alt.Scale(domain=[0, 1])
    diagonal = (
        alt.Chart(alt.InlineData(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}]))
        .mark_line(color="#9aa5b1", strokeDash=[4, 4])
        .encode(x="x:Q", y="y:Q")
    )
    dots = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_circle(opacity=0.85)
        .encode(
            x=alt.X("confidence:Q", scale=scale, title="stated confidence"),
            y=alt.Y("accuracy:Q", scale=scale, title="share that was right"),
            color=alt.Color(
                "group:N",
                title=None,
                sort=names,
                scale=alt.Scale(domain=names, range=PALETTE),
                legend=alt.Legend() if len(names) > 1 else None,
            ),
            size=alt.Size(
                "requests:Q",
                title="requests",
                scale=alt.Scale(range=[60, 600]),
                legend=alt.Legend(tickMinStep=1),
            ),
            tooltip=["group:N", "confidence:Q", "accuracy:Q", "requests:Q"],
        )
    )
    return sized(diagonal + dots, height=300)


def load_latency(samples: pl.DataFrame) -> alt.Chart:
    """Latency of each message over a load run, on a logarithmic scale.

    Args:
        samples: `due_s` (seconds from the start) and `ack_ms`, `visible_ms`, `completed_ms`
            (milliseconds from when the message was due, null where it never came).
    """
    stages = {"ack_ms": "acknowledged", "visible_ms": "first text", "completed_ms": "completed"}
    if samples.height > SCATTER_POINTS:
        samples = samples.sample(SCATTER_POINTS, seed=0)
    rows = [
        {"due_s": row["due_s"], "stage": label, "ms": max(row[column], 0.1)}
        for row in samples.iter_rows(named=True)
        for column, label in stages.items()
        if row.get(column) is not None
    ]
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_circle(size=22, opacity=0.6)
        .encode(
            x=alt.X("due_s:Q", title="seconds into the run"),
            y=alt.Y("ms:Q", title="latency (ms, log)", scale=alt.Scale(type="log")),
            color=alt.Color(
                "stage:N",
                title=None,
                sort=list(stages.values()),
                scale=alt.Scale(domain=list(stages.values()), range=PALETTE[:3]),
            ),
            tooltip=["stage:N", "ms:Q", "due_s:Q"],
        )
    )
    return sized(chart, height=280)


def message_stages(stages: Sequence[dict[str, Any]]) -> alt.Chart:
    """Where messages' time goes: one line a message, one bar a stage.

    Args:
        stages: rows of `message` (label), `stage`, `start_ms` and `end_ms` from its sending.
    """
    by_start = sorted(stages, key=lambda row: float(row["start_ms"]))
    order = list(dict.fromkeys(row["stage"] for row in by_start))
    messages = list(dict.fromkeys(row["message"] for row in stages))
    chart = (
        alt.Chart(alt.InlineData(values=[dict(row) for row in stages]))
        .mark_bar(height=14)
        .encode(
            x=alt.X("start_ms:Q", title="ms since the message was sent"),
            x2="end_ms:Q",
            y=alt.Y("message:N", sort=None, title=None, axis=alt.Axis(labelLimit=250)),
            color=alt.Color(
                "stage:N", sort=order, title=None, scale=alt.Scale(domain=order, range=PALETTE)
            ),
            tooltip=["message:N", "stage:N", "start_ms:Q", "end_ms:Q"],
        )
    )
    return sized(chart, height=28 * len(messages) + 10)


def _flat() -> alt.Axis:
    return alt.Axis(labelAngle=0)


def sized(chart: Any, height: int) -> alt.Chart:
    """A chart of the report's width, font and colours.

    Args:
        chart: a chart, or layers of one.
        height: in px, without what stands below its axis.
    """
    font = "system-ui, sans-serif"
    sized: alt.Chart = (
        chart.properties(
            width=WIDTH,
            height=height,
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
        .configure(font=font)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=INK,
            titleColor=INK,
            gridColor="#e6eaee",
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
        )
        .configure_legend(labelColor=INK, labelFontSize=12, orient="top")
    )
    return sized
