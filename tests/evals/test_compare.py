import polars as pl
import pytest

from evals.compare import compare_rows
from evals.datasets.loader import DatasetInfo
from evals.figures import build_document, figure
from harness.errors import HarnessError

SAMPLES = [f"s{i}" for i in range(40)]


def _run(scores, samples=SAMPLES, command="eval retrieval", split="test", sha="a"):
    document = build_document(
        command,
        {"recall@10": figure(0, ""), "hit@10": figure(0, ""), "gather_p50_ms": figure(1, "ms")},
        {},
        dataset=DatasetInfo(name="mine", sha256=sha * 64, split=split),
    )
    return document, pl.DataFrame(
        {"sample": samples, "recall@10": scores, "hit@10": [float(s > 0) for s in scores]}
    )


def test_rows_are_paired_by_sample_whatever_their_order():
    scores = [index / 40 for index in range(40)]
    before = _run(scores)
    after = _run(scores[::-1], SAMPLES[::-1])
    found = {item.metric: item.comparison for item in compare_rows(before, after)}
    assert found["recall@10"].ties == 40


def test_a_worse_retriever_is_caught():
    good = [1.0 if index % 4 else 0.5 for index in range(40)]
    worse = [score if index % 3 else 0.0 for index, score in enumerate(good)]
    found = {item.metric: item for item in compare_rows(_run(good), _run(worse))}
    assert found["recall@10"].comparison.difference.high < 0
    assert found["recall@10"].p < 0.05


def test_figures_without_a_value_for_each_sample_are_not_compared():
    found = compare_rows(_run([1.0] * 40), _run([1.0] * 40))
    assert [item.metric for item in found] == ["recall@10", "hit@10"]


def test_a_metric_is_compared_where_both_runs_define_it():
    document, rows = _run([1.0] * 40)
    holed = rows.with_columns(
        pl.when(pl.col("sample") == "s0")
        .then(None)
        .otherwise(pl.col("recall@10"))
        .alias("recall@10")
    )
    found = {item.metric: item for item in compare_rows((document, holed), (document, holed))}
    assert found["recall@10"].comparison.difference.n == 39


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"command": "eval tools"}, "task"),
        ({"split": "tune"}, "split"),
        ({"sha": "b"}, "sha256"),
        ({"samples": [f"t{i}" for i in range(40)]}, "different samples"),
    ],
)
def test_runs_over_different_things_are_refused_naming_the_difference(other, named):
    with pytest.raises(HarnessError, match=named):
        compare_rows(_run([1.0] * 40), _run([1.0] * 40, **other))
