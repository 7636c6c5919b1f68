import polars as pl

from evals.datasets.loader import DatasetInfo
from evals.figures import Figure, build_document, figure
from evals.report import build_report
from evals.sections import section_of

ROWS = pl.DataFrame(
    {
        "sample": ["a/1", "a/2", "b/1"],
        "thread": ["a", "a", "b"],
        "category": ["time", "time", "wait"],
        "question": ["What is 2 + 2?", "And <now>?", "Wait a second."],
        "answer": ["It is five.", "", "Done."],
        "calls": [[{"name": "calculate"}], [], [{"name": "wait"}]],
        "completed": [1.0, 0.0, 1.0],
        "score": [0.5, 0.0, 1.0],
        "error": [None, "ended failed: no model", None],
    }
)


def test_a_report_tells_scores_by_category_and_which_answers_fell_short():
    info = DatasetInfo(name="pipeline", sha256="0" * 64, split="test")
    document = build_document(
        "eval pipeline", {"score": figure(0.5, "")}, {}, simulated=True, dataset=info
    )
    section = section_of(document, ROWS)
    assert section is not None
    assert section.simulated
    page = build_report("Conversations", [section])
    assert "2 of 3 messages ended as they should" in page
    assert "category: wait (n=1)" in page
    for told in ("It is five.", "calculate", "ended failed: no model", "And &lt;now&gt;?"):
        assert told in page
    assert "Wait a second." not in page


def test_a_run_with_rubrics_alone_can_be_drawn():
    unscored = ROWS.with_columns(score=pl.lit(None, pl.Float64))
    section = section_of(build_document("eval pipeline", {}, {}), unscored)
    assert section is not None
    assert "No model judged rubrics" in build_report("Conversations", [section])


def test_a_judges_agreement_stands_beside_its_name():
    agreement = Figure(value=0.875, unit="", low=0.75, high=0.97, n=32)
    figures = {"judge_agreement": agreement, "judge_kappa": figure(0.7, "")}
    section = section_of(build_document("eval pipeline", figures, {"eval.judge": "strict"}), ROWS)
    assert section is not None
    assert "strict, which agrees with 0.875 (0.750 – 0.970) of the labels" in section.intro
    assert "Cohen's kappa is 0.700" in section.intro
