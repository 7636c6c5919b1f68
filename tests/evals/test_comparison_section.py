import polars as pl
import pytest

from evals.compare import compare_runs
from evals.comparison_section import comparison_section, sections_of_runs
from evals.datasets.loader import DatasetInfo
from evals.figures import build_document, figure
from evals.pairing import label_runs
from evals.report import build_report

SAMPLES = [f"s{index}" for index in range(40)]


def kept(recall, command="eval retrieval"):
    document = build_document(
        command,
        {"recall@10": figure(0, ""), "hit@10": figure(0, "")},
        {},
        dataset=DatasetInfo(name="mine", sha256="a" * 64, split="test"),
    )
    questions = [f"Where is <b>number {index}</b>?" for index in range(40)]
    columns = {"sample": SAMPLES, "recall@10": recall, "hit@10": [1.0] * 40, "question": questions}
    return document, pl.DataFrame(columns)


@pytest.fixture
def runs():
    return [kept([1.0] * 40), kept([0.0] * 10 + [1.0] * 30)]


@pytest.fixture
def section(runs):
    named = zip(("before", "after"), runs, strict=True)
    return comparison_section(compare_runs(label_runs([(key, *run) for key, run in named])))


def test_each_metric_has_its_difference_and_its_count_of_samples(section):
    first = section.table.rows[0]
    assert (first[0], first[1], first[4]) == ("B: recall@10", "40", "-0.250")
    differences, moved = section.charts
    assert differences.reading.startswith("Of 2 differences, 1 have a 95 % interval without 0")
    assert moved.reading == (
        "In recall@10, 0 samples got better, 10 worse and 30 stayed as they were."
    )


def test_the_samples_that_changed_most_are_shown_as_they_were_asked(section):
    assert len(section.closing.rows) == 10
    page = build_report("Comparison", [section])
    assert "Where is &lt;b&gt;number 0&lt;/b&gt;?" in page


def test_runs_that_can_be_paired_are_held_against_each_other_in_any_report(runs):
    assert len(sections_of_runs(["a", "b"], runs)) == 1
    assert sections_of_runs(["a", "b"], [runs[0], kept([1.0] * 40, "eval tools")]) == []
    assert sections_of_runs(["a"], runs[:1]) == []
