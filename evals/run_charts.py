"""Charts of several runs at once: what one gains over another, and what quality costs."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from evals.charts import ACCENT, INK, PALETTE, WARM, sized

_LABEL = 40  # characters of a run's name beside its dot
_MUTED = "#9aa5b1"


def pareto(points: Sequence[dict[str, Any]], quality: str, cost: str) -> alt.Chart:
    """Quality of runs against what they cost, with the line of those that none is better than.

    Args:
        points: rows of `name`, `quality`, `low`, `high` (its 95 % interval) and `cost`.
        quality: what the upright axis is called; more is better.
        cost: what the other one is called; less is better.
    """
    best = pareto_line(points)
    names = {row["name"] for row in best}
    rows = [row | {"label": row["name"][:_LABEL], "best": row["name"] in names} for row in points]
    x = alt.X("cost:Q", title=cost, scale=alt.Scale(zero=False, padding=30))
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x)
    line = (
        alt.Chart(alt.InlineData(values=best))
        .mark_line(color=ACCENT, strokeDash=[4, 4], interpolate="step-after")
        .encode(x=x, y="quality:Q")
    )
    colour = alt.condition("datum.best", alt.value(ACCENT), alt.value(_MUTED))
    bars = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y("low:Q", title=quality, scale=alt.Scale(zero=False)), y2="high:Q", color=colour
    )
    dots = base.mark_circle(size=90, opacity=1).encode(
        y="quality:Q",
        color=colour,
        tooltip=[
            alt.Tooltip("name:N", title="run"),
            *(alt.Tooltip(f"{key}:Q", format=".3f") for key in ("quality", "low", "high", "cost")),
        ],
    )
    labels = base.mark_text(align="left", dx=8, dy=-7, color=INK, fontSize=11).encode(
        y="quality:Q", text="label:N"
    )
    return sized(line + bars + dots + labels, height=300)


def pareto_line(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The points that no other one is both better and cheaper than, from the cheapest on."""
    line: list[dict[str, Any]] = []
    for point in sorted(points, key=lambda row: (row["cost"], -row["quality"])):
        if not line or point["quality"] > line[-1]["quality"]:
            line.append(point)
    return line


def curves(points: Sequence[dict[str, Any]], setting: str) -> alt.Chart:
    """Metrics against a number that was varied, with 95 % intervals, such as a learning curve.

    Args:
        points: rows of `setting`, `metric`, `value`, `low` and `high`.
        setting: what was varied.
    """
    metrics = list(dict.fromkeys(row["metric"] for row in points))
    values = sorted({row["setting"] for row in points})
    # Such numbers are chosen at growing distances, and 0 among them has no logarithm.
    scale = alt.Scale(type="symlog", constant=max(1e-9, next((v for v in values if v > 0), 1)))
    base = alt.Chart(alt.InlineData(values=list(points))).encode(
        x=alt.X("setting:Q", title=setting, scale=scale, axis=alt.Axis(values=values)),
        color=alt.Color(
            "metric:N",
            title=None,
            sort=metrics,
            scale=alt.Scale(domain=metrics, range=PALETTE[: len(metrics)]),
        ),
    )
    bars = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y("low:Q", title="share", scale=alt.Scale(zero=False)), y2="high:Q"
    )
    line = base.mark_line(point=alt.OverlayMarkDef(size=70)).encode(
        y="value:Q",
        tooltip=[
            alt.Tooltip("setting:Q", title=setting),
            "metric:N",
            *(alt.Tooltip(f"{key}:Q", format=".3f") for key in ("value", "low", "high")),
        ],
    )
    return sized(bars + line, height=280)


def gains(rows: Sequence[dict[str, Any]]) -> alt.Chart:
    """What was gained in each metric, with 95 % intervals; on the line of 0 nothing was.

    Args:
        rows: of `label`, `difference`, `low`, `high` and `verdict` (`better`, `worse`, `unclear`).
    """
    base = alt.Chart(alt.InlineData(values=list(rows))).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=250)),
        color=alt.Color(
            "verdict:N",
            title="interval",
            scale=alt.Scale(domain=["better", "unclear", "worse"], range=[ACCENT, _MUTED, WARM]),
        ),
    )
    zero = (
        alt.Chart(alt.InlineData(values=[{"x": 0}]))
        .mark_rule(color=INK, strokeDash=[4, 4])
        .encode(x="x:Q")
    )
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title="difference"), x2="high:Q")
    dots = base.mark_circle(size=90, opacity=1).encode(
        x="difference:Q",
        tooltip=[
            "label:N",
            *(alt.Tooltip(f"{key}:Q", format="+.3f") for key in ("difference", "low", "high")),
        ],
    )
    return sized(zero + bars + dots, height=26 * len(rows) + 10)


def outcomes(rows: Sequence[dict[str, Any]]) -> alt.Chart:
    """How many samples got better, stayed and got worse in each metric.

    Args:
        rows: of `label`, `outcome` (`win`, `tie`, `loss`) and `samples`.
    """
    order = ["win", "tie", "loss"]
    placed = [row | {"place": order.index(row["outcome"])} for row in rows]
    labels = list(dict.fromkeys(row["label"] for row in rows))
    chart = (
        alt.Chart(alt.InlineData(values=placed))
        .mark_bar(height=14)
        .encode(
            x=alt.X("samples:Q", title="samples", stack="zero", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=250)),
            color=alt.Color(
                "outcome:N",
                title=None,
                sort=order,
                scale=alt.Scale(domain=order, range=[ACCENT, "#dfe5ea", WARM]),
            ),
            order="place:O",
            tooltip=["label:N", "outcome:N", "samples:Q"],
        )
    )
    return sized(chart, height=26 * len(labels) + 10)
