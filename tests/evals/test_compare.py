import io
import json
from dataclasses import replace

import polars as pl
import pytest
from rich.console import Console

from evals.compare import compare_runs
from evals.comparison_tables import print_comparison
from evals.datasets.loader import DatasetInfo
from evals.figures import build_document, figure
from evals.pairing import Run, label_runs
from harness.errors import HarnessError

SAMPLES = [f"s{i}" for i in range(40)]
GOOD = [1.0 if index % 4 else 0.5 for index in range(40)]
WORSE = [score if index % 3 else 0.0 for index, score in enumerate(GOOD)]


def run(
    scores, label="A", samples=SAMPLES, command="eval retrieval", split="test", sha="a", **more
):
    document = build_document(
        command,
        {"recall@10": figure(0, ""), "hit@10": figure(0, ""), "gather_p50_ms": figure(1, "ms")},
        {},
        dataset=DatasetInfo(name="mine", sha256=sha * 64, split=split),
    )
    hits = [float(score > 0) for score in scores]
    rows = pl.DataFrame({"sample": samples, "recall@10": scores, "hit@10": hits, **more})
    return Run(f"id-{label}", label, document, rows)


def compared(*runs, **options):
    found = compare_runs(runs, **options)
    return {(item.run, item.metric): item for item in found.metrics}


def test_rows_are_paired_by_sample_whatever_their_order():
    scores = [index / 40 for index in range(40)]
    found = compared(run(scores), run(scores[::-1], "B", SAMPLES[::-1]))
    assert found["B", "recall@10"].ties == 40


def test_a_worse_retriever_is_caught():
    found = compared(run(GOOD), run(WORSE, "B"))
    assert found["B", "recall@10"].high < 0
    assert found["B", "recall@10"].p_holm < 0.05


def test_figures_without_a_value_for_each_sample_are_not_compared():
    assert list(compared(run(GOOD), run(GOOD, "B"))) == [("B", "recall@10"), ("B", "hit@10")]


def test_each_run_is_held_against_the_first_and_p_is_adjusted_for_all_of_them():
    two = compared(run(GOOD), run(WORSE, "B"))
    three = compared(run(GOOD), run(WORSE, "B"), run(GOOD, "C"))
    assert three["C", "recall@10"].difference == 0
    assert three["B", "recall@10"].p == two["B", "recall@10"].p
    assert three["B", "recall@10"].p_holm > two["B", "recall@10"].p_holm


def test_only_the_metrics_asked_for_are_compared_and_adjusted_for():
    found = compared(run(GOOD), run(WORSE, "B"), metrics=["hit@10"])
    assert found["B", "hit@10"].p_holm == found["B", "hit@10"].p
    assert len(found) == 1


def test_a_metric_is_compared_where_both_runs_define_it():
    holed = run(GOOD, "B")
    rows = holed.rows.with_columns(
        pl.when(pl.col("sample") != "s0").then(pl.col("recall@10")).alias("recall@10")
    )
    found = compared(run(GOOD), Run("b", "B", holed.document, rows))
    assert found["B", "recall@10"].n == 39


def test_repeats_of_a_sample_count_as_their_mean():
    repeated = run([0.0] * 40 + [1.0] * 40, "B", SAMPLES * 2, repeat=[0] * 40 + [1] * 40)
    item = compared(run([0.0] * 40), repeated)["B", "recall@10"]
    assert (item.n, item.after, item.wins) == (40, 0.5, 40)


def test_samples_of_shared_conversations_are_compared_by_conversation():
    threads = [f"t{index % 8}" for index in range(40)]
    found = compare_runs([run(GOOD, thread=threads), run(WORSE, "B", thread=threads)])
    assert found.unit == "8 threads"
    assert {item.test for item in found.metrics} == {"permutation"}


def test_a_few_conversations_are_too_few_to_be_the_unit():
    threads = [f"t{index % 3}" for index in range(40)]
    found = compare_runs([run(GOOD, thread=threads), run(WORSE, "B", thread=threads)])
    assert found.unit == "40 samples"


def test_slices_are_those_there_are_and_add_up():
    words = ["none" if index % 2 else "shared" for index in range(40)]
    found = compare_runs([run(GOOD, words=words), run(WORSE, "B", words=words)])
    recall = [item for item in found.slices if item.metric == "recall@10"]
    assert [(item.slice, item.n) for item in recall] == [("words: none", 20), ("words: shared", 20)]
    whole = next(item for item in found.metrics if item.metric == "recall@10")
    assert sum(item.difference for item in recall) / 2 == pytest.approx(whole.difference)


@pytest.mark.parametrize("column", ["mood", "gold"])
def test_a_slice_by_no_such_column_lists_those_there_are(column):
    gold = [["a"]] * 40
    with pytest.raises(HarnessError, match=rf"--slice '{column}'.*sample"):
        compare_runs([run(GOOD, gold=gold), run(WORSE, "B", gold=gold)], slices=[column])


def test_the_samples_that_changed_most_come_first():
    before, after = [0.5] * 40, [0.5] * 40
    after[7], after[3] = 0.0, 0.6
    questions = [f"question {index}" for index in range(40)]
    found = compare_runs([run(before, question=questions), run(after, "B", question=questions)])
    assert [(item.sample, item.text) for item in found.changed] == [
        ("s7", "question 7"),
        ("s3", "question 3"),
    ]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"command": "eval tools"}, "task"),
        ({"split": "tune"}, "split: 'test' in A, 'tune' in B"),
        ({"sha": "b"}, "sha256"),
        ({"samples": [*SAMPLES[1:], "t"]}, "samples: 1 only in A, such as 's0'.*1 only in B.*'t'"),
        ({"split": "tune", "sha": "b"}, "split.*sha256"),
    ],
)
def test_runs_over_different_things_are_refused_naming_all_that_differs(other, named):
    with pytest.raises(HarnessError, match=named) as raised:
        compare_runs([run(GOOD), run(GOOD, "B", **other)])
    assert "--anyway" in str(raised.value)


def test_told_to_go_on_anyway_the_shared_samples_are_paired_and_the_difference_is_kept():
    other = run(WORSE, "B", samples=[*SAMPLES[:30], *(f"t{index}" for index in range(10))])
    found = compare_runs([run(GOOD), other], anyway=True)
    assert {item.n for item in found.metrics} == {30}
    assert len(found.differing) == 2


def test_runs_without_a_sample_in_common_are_refused_even_then():
    with pytest.raises(HarnessError, match="no sample in common"):
        compare_runs([run(GOOD), run(GOOD, "B", [f"t{i}" for i in range(40)])], anyway=True)


def test_a_run_alone_or_without_rows_is_not_compared():
    whole = run(GOOD)
    with pytest.raises(HarnessError, match="1 runs can not be compared"):
        label_runs([("a", whole.document, whole.rows)])
    with pytest.raises(HarnessError, match="'b' kept no rows"):
        label_runs([("a", whole.document, whole.rows), ("b", whole.document, None)])
    table = pl.DataFrame({"run": [1, 2]})
    with pytest.raises(HarnessError, match="'b' kept no rows of samples"):
        label_runs([("a", whole.document, whole.rows), ("b", whole.document, table)])


def test_what_is_printed_names_intervals_units_and_text_as_it_was_written():
    questions = [f"[bold]what[/bold] {index}?" for index in range(40)]
    found = compare_runs([run(GOOD, question=questions), run(WORSE, "B", question=questions)])
    console = Console(file=io.StringIO(), width=140)
    print_comparison(found, console)
    printed = console.file.getvalue()
    for part in ("B less A", "recall@10", "over 40 samples", "[bold]what[/bold]", "McNemar"):
        assert part in printed


def test_runs_that_agree_in_everything_are_valid_json():
    found = compare_runs([run(GOOD), run(GOOD, "B")])
    assert json.loads(found.model_dump_json())["metrics"][0]["detectable"] is None


def test_each_metric_can_be_read_on_a_narrow_terminal():
    found = compare_runs([run(GOOD), run(WORSE, "B")])
    console = Console(file=io.StringIO(), width=80)
    print_comparison(found, console)
    printed = console.file.getvalue()
    assert "…" not in printed
    assert "recall@10" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_how_long_samples_took_is_no_metric_that_others_are_adjusted_for():
    runs = [run(GOOD), run(GOOD, "B")]
    for each in runs:
        each.document.figures["seconds"] = figure(9, "s")
    timed = [replace(each, rows=each.rows.with_columns(seconds=pl.lit(0.5))) for each in runs]
    assert "seconds" not in {item.metric for item in compare_runs(timed).metrics}
