import polars as pl

from evals.datasets.loader import DatasetInfo
from evals.figures import build_document, figure
from evals.report import build_report
from evals.sections import section_of

ROWS = pl.DataFrame(
    {
        "sample": ["a", "b", "c"],
        "category": ["simple", "simple", "irrelevance"],
        "question": ["Light in the hall", "Ring the <bell>", "Why?"],
        "output": ["[]", '[{"ring": {}}]', "[]"],
        "name_accuracy": [0.0, 1.0, 1.0],
        "ast_accuracy": [0.0, 0.0, 1.0],
        "error": ["StreamCut: cut", None, None],
        "why": ["no answer", "wrong bell", None],
    }
)


def test_a_report_tells_right_calls_by_category_and_what_was_wrong():
    info = DatasetInfo(name="calls", sha256="0" * 64, split="test")
    document = build_document(
        "eval calls", {"ast_accuracy": figure(1 / 3, "")}, {}, simulated=True, dataset=info
    )
    section = section_of(document, ROWS)
    assert section is not None
    assert section.simulated
    page = build_report("Calls", [section])
    assert "category: irrelevance (n=1)" in page
    assert "Of 2 cases with wrong calls, 1 called the right functions" in page
    for told in ("StreamCut: cut", "wrong bell", "Ring the &lt;bell&gt;"):
        assert told in page
