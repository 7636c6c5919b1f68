import shutil

import polars as pl
import pytest
from playwright.async_api import async_playwright

from evals.charts import message_stages
from evals.figures import Figure, build_document
from evals.report import Chart, Section, summary_section, write_report
from evals.run_charts import curves, gains, outcomes, pareto
from evals.sections import load_section, retrieval_section, selection_section

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)"),
]

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# What each chart must have drawn, in the order of the page: marks' roles of Vega, and how many.
DRAWN = {
    "mean_by_slice": (".mark-symbol path", 6),  # all, two wordings, three categories
    "first_ranks": (".mark-rect path", 11),  # ten ranks and "not found"
    "confusions": (".mark-rect path", 2),
    "reliability_diagram": (".mark-line path", 1),
    "load_latency": (".mark-symbol.role-mark path", 7),
    "message_stages": (".mark-rect path", 4),
    "pareto": (".mark-symbol.role-mark path", 3),
    "curves": (".mark-symbol.role-mark path", 6),  # two metrics at three values
    "gains": (".mark-symbol.role-mark path", 2),
    "outcomes": (".mark-rect.role-mark path", 6),
}
LONG = "Ask me whether I would like a warm or a cold dessert before you suggest one, please."


def _documents():
    figures = {"recall@10": Figure(value=0.5, unit="", low=0.4, high=0.6, n=4)}
    return [
        build_document(name, figures, {}, simulated=name == "load")
        for name in ("eval retrieval", "eval tools", "load")
    ]


def _sections():
    retrieval, tools, load = documents = _documents()
    retrieved = pl.DataFrame(
        {
            "category": ["single", "multi", "single", "temporal"],
            "words": ["none", "shared", "none", "shared"],
            "recall@10": [1.0, 0.5, 0.0, 1.0],
            "first_rank": [1, 3, None, 1],
            "question": ["q1", "q2", "q3", "q4"],
            "gold": [["a"], ["b", "c"], ["d"], ["e"]],
            "error": pl.Series([None] * 4, dtype=pl.String),
        }
    )
    selected = pl.DataFrame(
        {
            "gold": [["send_mail"], ["draft_mail"], ["set_timer"]],
            "chosen": ["draft_mail", "draft_mail", "set_timer"],
            "confidence": [0.8, 0.6, 0.9],
            "correct": [0.0, 1.0, 1.0],
            "error": pl.Series([None] * 3, dtype=pl.String),
        }
    )
    samples = pl.DataFrame(
        {
            "due_s": [0.0, 1.0, 2.0],
            "ack_ms": [5.0, 6.0, 7.0],
            "visible_ms": [50.0, None, 60.0],
            "completed_ms": [200.0, None, 250.0],
        }
    )
    stages = [
        {"message": message, "stage": stage, "start_ms": start, "end_ms": start + 200}
        for message in ("Hi", LONG)
        for stage, start in (("gather-context", 20), ("model", 240))
    ]
    spread = {"low": 0.4, "high": 0.7}
    priced = [
        {"name": f"run {cost}, {LONG}", "quality": 0.5 + cost / 100, "cost": cost, **spread}
        for cost in (1.0, 5.0, 9.0)
    ]
    learned = [
        {"setting": exemplars, "metric": metric, "value": 0.5, **spread}
        for metric in ("top1", "top3")
        for exemplars in (0, 5, 20)
    ]
    gained = [
        {"label": label, "difference": 0.1, "low": 0.0, "high": 0.2, "verdict": "unclear"}
        for label in ("recall@5", "recall@10")
    ]
    moved = [
        {"label": label, "outcome": outcome, "samples": 3}
        for label in ("recall@5", "recall@10")
        for outcome in ("win", "tie", "loss")
    ]
    drawn = (
        pareto(priced, "recall@10", "ms"),
        curves(learned, "exemplars"),
        gains(gained),
        outcomes(moved),
    )
    return [
        summary_section(documents),
        retrieval_section(retrieval, retrieved),
        selection_section(tools, selected),
        load_section(load, samples),
        Section("Stages", charts=(Chart(message_stages(stages), "Mostly the model."),)),
        Section("Runs", charts=tuple(Chart(each, "One of several runs.") for each in drawn)),
    ]


class Seen:
    """A browser's view of the page, and everything it complained about or asked for."""

    def __init__(self, page, url):
        self.page, self.url = page, url
        self.requests, self.complaints = [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    async def drawn(self):
        await self.page.goto(self.url)
        await self.page.wait_for_function(
            "count => document.querySelectorAll('figure svg').length === count", arg=len(DRAWN)
        )


@pytest.fixture
async def seen(tmp_path):
    path = write_report(tmp_path / "report.html", "Everything", _sections())
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = await browser.new_context(viewport={"width": 1100, "height": 900})
        # Whatever asks for the network is seen above and gets nothing.
        await context.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
        try:
            opened = Seen(await context.new_page(), path.as_uri())
            await opened.drawn()
            yield opened
        finally:
            await browser.close()


async def test_every_chart_is_drawn_with_its_marks(seen):
    found = {}
    for index, (name, (marks, _)) in enumerate(DRAWN.items()):
        found[name] = await seen.page.locator(f"#chart{index} svg {marks}").count()

    assert found == {name: count for name, (_, count) in DRAWN.items()}


async def test_the_page_asks_for_nothing_but_itself_and_complains_about_nothing(seen):
    assert seen.requests == [seen.url]
    assert seen.complaints == []


@pytest.mark.parametrize("width", [1100, 480])
async def test_no_chart_is_wider_than_its_card(seen, width):
    await seen.page.set_viewport_size({"width": width, "height": 900})

    outgrown = await seen.page.evaluate(
        """() => [...document.querySelectorAll('figure')]
             .filter(box => box.scrollWidth > box.clientWidth
               || box.querySelector('svg').getBoundingClientRect().width > box.clientWidth + 1)
             .map(box => box.querySelector('div').id)"""
    )

    assert outgrown == []
