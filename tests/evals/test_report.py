import re
from html.parser import HTMLParser

import polars as pl
import pytest

from evals.charts import NO_TOOL, SCATTER_POINTS, confusions, load_latency, message_stages
from evals.figures import Figure, build_document
from evals.report import Chart, Section, TableData, build_report, pictures, summary_section
from evals.sections import load_section, retrieval_section, selection_section

NAMESPACES = ("http://www.w3.org/", "https://vega.github.io/schema/")


@pytest.fixture(scope="module")
def documents():
    figures = {"recall@10": Figure(value=0.5, unit="", low=0.4, high=0.6, n=4)}
    return {
        name: build_document(name, figures, {}, simulated=name == "load")
        for name in ("eval retrieval", "eval tools", "load")
    }


@pytest.fixture(scope="module")
def retrieval_rows():
    return pl.DataFrame(
        {
            "category": ["single", "multi", "single", "temporal"],
            "words": ["none", "shared", "none", "shared"],
            "recall@10": [1.0, 0.5, 0.0, 1.0],
            "first_rank": [1, 3, None, 1],
            "question": ["q1", "q2", "Who ate </script> the cake?", "q4"],
            "gold": [["a"], ["b", "c"], ["d"], ["e"]],
            "error": [None, None, None, None],
        },
        schema_overrides={"error": pl.String},
    )


@pytest.fixture(scope="module")
def selection_rows():
    return pl.DataFrame(
        {
            "gold": [["send_mail"], [], ["set_timer"]],
            "chosen": ["draft_mail", None, "set_timer"],
            "confidence": [0.8, 0.6, 0.9],
            "correct": [0.0, 1.0, 1.0],
            "error": [None, None, None],
        },
        schema_overrides={"error": pl.String},
    )


@pytest.fixture(scope="module")
def page(documents, retrieval_rows, selection_rows):
    samples = pl.DataFrame(
        {
            "due_s": [0.0, 1.0],
            "ack_ms": [5.0, 6.0],
            "visible_ms": [50.0, None],
            "completed_ms": [200.0, None],
        }
    )
    stages = [
        {"message": "Hi", "stage": "context", "start_ms": 0, "end_ms": 20},
        {"message": "Hi", "stage": "model", "start_ms": 20, "end_ms": 180},
    ]
    return build_report(
        "Everything",
        [
            summary_section(list(documents.values())),
            retrieval_section(documents["eval retrieval"], retrieval_rows),
            selection_section(documents["eval tools"], selection_rows),
            load_section(documents["load"], samples),
            Section("Stages", charts=(Chart(message_stages(stages), "Mostly the model."),)),
        ],
    )


def test_nothing_in_the_page_points_anywhere(page):
    found = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"'`<)\\]*", page))
    assert {url for url in found if not url.startswith(NAMESPACES)} == set()


def test_the_page_loads_no_script_style_or_picture(page):
    class Sources(HTMLParser):
        found: list = []

        def handle_starttag(self, tag, attrs):
            self.found += [(tag, name) for name, _ in attrs if name in ("src", "href")]

    parser = Sources()
    parser.feed(page)
    assert parser.found == []


def test_every_chart_has_a_sentence_and_a_place(page):
    assert page.count("<figcaption>") == page.count('<div id="chart') == 6


def test_every_chart_of_a_measurement_is_a_picture_of_its_own(
    documents, retrieval_rows, selection_rows
):
    sections = [
        retrieval_section(documents["eval retrieval"], retrieval_rows),
        selection_section(documents["eval tools"], selection_rows),
    ]
    drawn = pictures(sections)
    assert set(drawn) == {"recall", "first-rank", "confusion", "calibration"}
    assert all(text.startswith("<svg") for text in drawn.values())


def test_readings_are_computed_from_the_rows(page):
    assert "2 of 4 questions had evidence in first place; 1 had none" in page
    assert "1 of 3 requests were offered another first tool" in page
    assert "1 of 2 messages completed" in page


def test_simulated_figures_are_marked(page):
    assert page.count("simulated language model: these figures") == 1


def test_texts_of_the_data_cannot_break_out_of_the_page(page):
    assert "Who ate &lt;/script&gt; the cake?" in page
    assert page.count("</script>") == 2


def test_a_page_without_charts_carries_no_script():
    page = build_report("Small", [Section("Only words", table=TableData(("a",), (("<b>",),)))])
    assert "<script" not in page
    assert "&lt;b&gt;" in page


def test_only_tools_that_were_confused_are_drawn():
    drawn = str(confusions([("a", "a"), ("b", "c"), ("d", NO_TOOL)]).to_dict())
    assert "'wanted': 'b'" in drawn
    assert "'wanted': 'a'" not in drawn


def test_a_long_load_run_is_thinned_for_the_page():
    n = SCATTER_POINTS * 3
    samples = pl.DataFrame({"due_s": list(range(n)), "ack_ms": [1.0] * n}, strict=False)
    (drawn,) = load_latency(samples).to_dict()["datasets"].values()
    assert len(drawn) == SCATTER_POINTS
