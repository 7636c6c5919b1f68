"""One self-contained HTML page from figures and rows; whoever measures chooses its sections."""

import html
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import vl_convert

from evals.figures import Document, describe, shown, spread

# The only addresses in the bundled scripts: an editor that the page does not offer, and a hint in
# an error message. Without them nothing in the page points anywhere.
_LINKS = ("https://vega.github.io/editor/", "https://github.com/vega/vega-lite/issues/2415")

_STYLE = """
:root{--ink:#22303c;--soft:#5b6c7d;--line:#dfe5ea;--accent:#1f6f8b}
*{box-sizing:border-box}
body{margin:0;background:#f6f8f9;color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:920px;margin:0 auto;padding:40px 24px 80px}
h1{font-size:2rem;line-height:1.2;margin:0 0 .3rem}
h2{font-size:1.25rem;margin:0 0 .4rem}
section{background:#fff;border:1px solid var(--line);border-radius:10px;padding:24px 28px;
margin-top:24px;overflow-x:auto}
p{margin:.4rem 0 1rem;max-width:70ch}
.soft,.origin{color:var(--soft)}
.origin{font-size:.82rem;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.93rem}
th{text-align:left;color:var(--soft);font-weight:600}
th,td{padding:6px 10px;border-bottom:1px solid var(--line)}
td.number,th.number{text-align:right;white-space:nowrap}
figure{margin:22px 0 6px}
figure svg{max-width:100%;height:auto}
figcaption{color:var(--soft);font-size:.92rem;margin-top:4px;max-width:70ch}
.simulated{background:#fbeee8;border-left:4px solid #d1603d;padding:8px 14px;border-radius:4px}
"""


@dataclass(frozen=True)
class Chart:
    """A chart and the sentence that reads it; a named one is kept as a picture of its own too."""

    chart: Any  # an altair chart
    reading: str
    name: str = ""


@dataclass(frozen=True)
class TableData:
    """A table of texts; columns named in `numbers` are set flush right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Section:
    """One part of the page: table, charts, closing table; `origin` says what it rests on."""

    title: str
    intro: str = ""
    table: TableData | None = None
    charts: tuple[Chart, ...] = ()
    closing: TableData | None = None
    origin: str = ""
    simulated: bool = False


def summary_section(documents: Sequence[Document], title: str = "Summary") -> Section:
    """One table of every figure of some documents, with unit, interval, count and command."""
    rows = [
        (
            name,
            shown(item),
            spread(item),
            "" if item.n is None else str(item.n),
            document.command + (" (simulated model)" if document.simulated else ""),
        )
        for document in documents
        for name, item in document.figures.items()
    ]
    return Section(
        title,
        "Each figure with its unit and, where samples allow one, a 95 % bootstrap interval.",
        TableData(
            ("figure", "value", "95 % interval", "n", "measured by"),
            tuple(rows),
            frozenset({"value", "95 % interval", "n"}),
        ),
        origin=" — ".join(dict.fromkeys(describe(document) for document in documents)),
    )


def build_report(title: str, sections: Sequence[Section], subtitle: str = "") -> str:
    """The page as one string that needs nothing from anywhere else.

    Args:
        title: its heading.
        sections: in order.
        subtitle: one line under the heading; the time it was written is added.
    """
    specs: list[dict[str, Any]] = []
    body = "".join(_section(section, specs) for section in sections)
    written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    line = " · ".join(part for part in (subtitle, f"written {written}") if part)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f'<h1>{html.escape(title)}</h1><p class="soft">{html.escape(line)}</p>{body}</main>'
        f"{_scripts(specs) if specs else ''}</body></html>\n"
    )


def pictures(sections: Sequence[Section]) -> dict[str, str]:
    """The named charts of a page as SVG, by name."""
    return {
        item.name: vl_convert.vegalite_to_svg(item.chart.to_dict())
        for section in sections
        for item in section.charts
        if item.name
    }


def write_report(path: Path, title: str, sections: Sequence[Section], subtitle: str = "") -> Path:
    """Write the page, creating its folder, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(build_report(title, sections, subtitle), "utf-8")
    return path


def _section(section: Section, specs: list[dict[str, Any]]) -> str:
    parts = [f"<section><h2>{html.escape(section.title)}</h2>"]
    if section.simulated:
        parts.append(
            '<p class="simulated">Answered by the simulated language model: these figures are '
            "about speed and say nothing about the quality of answers.</p>"
        )
    if section.intro:
        parts.append(f"<p>{html.escape(section.intro)}</p>")
    if section.table:
        parts.append(_table(section.table))
    for item in section.charts:
        spec = item.chart.to_dict()
        spec.pop("$schema", None)
        parts.append(
            f'<figure><div id="chart{len(specs)}"></div>'
            f"<figcaption>{html.escape(item.reading)}</figcaption></figure>"
        )
        specs.append(spec)
    if section.closing:
        parts.append(_table(section.closing))
    if section.origin:
        parts.append(f'<p class="origin">{html.escape(section.origin)}</p>')
    return "".join([*parts, "</section>"])


def _table(table: TableData) -> str:
    classes = [' class="number"' if name in table.numbers else "" for name in table.columns]
    head = "".join(
        f"<th{style}>{html.escape(name)}</th>"
        for name, style in zip(table.columns, classes, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{style}>{html.escape(cell)}</td>" for cell, style in zip(row, classes, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _scripts(specs: list[dict[str, Any]]) -> str:
    # The stub asks for a snippet that the function itself does without.
    bundle: Callable[[], str] = vl_convert.javascript_bundle  # type: ignore[assignment]
    library = bundle()
    for link in _LINKS:
        library = library.replace(link, "")
    # "</" would end the script element in the middle of a string.
    data = json.dumps(specs, ensure_ascii=False, allow_nan=False).replace("</", "<\\/")
    draw = (
        f"const specs={data};specs.forEach((spec,i)=>vegaEmbed('#chart'+i,spec,"
        "{mode:'vega-lite',actions:false,renderer:'svg'}));"
    )
    safe = library.replace("</script", "<\\/script")
    return f"<script>{safe}</script><script>{draw}</script>"
