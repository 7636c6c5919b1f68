import json

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from evals import cli
from evals.datasets.loader import DatasetInfo
from evals.figures import build_document, figure
from evals.tracking import keep_run
from harness.errors import HarnessError


@pytest.fixture
def invoke(tracked, monkeypatch, use_settings):
    use_settings(monkeypatch, lambda: tracked)
    app = typer.Typer()
    cli.register(app)
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def two_runs(tracked):
    document = build_document(
        "eval retrieval",
        {"recall@10": figure(0.5, "")},
        {},
        dataset=DatasetInfo(name="mine", sha256="0" * 64, split="test"),
    )
    samples = [f"s{i}" for i in range(12)]
    columns = {"category": "single", "words": "none", "question": "q", "error": None}
    return [
        keep_run(
            tracked,
            document,
            name=name,
            rows=pl.DataFrame(
                [
                    {"sample": s, "recall@10": score, "first_rank": 1, "gold": ["a"], **columns}
                    for s in samples
                ]
            ),
        )
        for name, score in (("before", 0.0), ("after", 1.0))
    ]


def test_eval_tools_prints_and_writes_the_same_figures(invoke, tmp_path):
    file = tmp_path / "figures.json"
    result = invoke("eval", "tools", "--limit", 6, "--split", "tune", "--json", file, "--no-track")
    assert result.exit_code == 0, result.output
    written = json.loads(file.read_text())
    assert written["dataset"]["split"] == "tune"
    assert f"{written['figures']['top1']['value']:.3f}" in result.output


def test_a_tracked_eval_names_the_run_that_can_be_reported(invoke, tmp_path):
    result = invoke("eval", "tools", "--limit", 3)
    run_id = result.output.replace("\n", " ").split("MLflow run ")[1].split(";")[0].strip()
    page = tmp_path / "page.html"
    assert invoke("report", run_id, "--out", page).exit_code == 0
    assert "Tool selection" in page.read_text("utf-8")


def test_an_unknown_dataset_is_one_line(invoke):
    result = invoke("eval", "tools", "--dataset", "nope", "--no-track")
    assert isinstance(result.exception, HarnessError)
    assert "'nope' not found" in str(result.exception)


def test_compare_prints_the_paired_difference(invoke, two_runs):
    result = invoke("compare", *two_runs)
    assert result.exit_code == 0, result.output
    assert "+1.000" in result.output
    assert "12/0/0" in result.output


def test_compare_writes_what_it_prints(invoke, two_runs, tmp_path):
    file = tmp_path / "compared.json"
    assert invoke("compare", *two_runs, "--json", file).exit_code == 0
    written = json.loads(file.read_text())
    assert written["runs"] == dict(zip("AB", two_runs, strict=True))
    assert written["metrics"][0]["difference"] == 1


def test_a_gate_that_holds_lets_a_comparison_pass(invoke, two_runs):
    assert invoke("compare", *two_runs, "--gate", "delta(recall@10) > -0.02").exit_code == 0


def test_a_missed_gate_names_each_clause_and_ends_in_1(invoke, two_runs):
    result = invoke(
        "compare", *two_runs[::-1], "--gate", "recall@10 >= 0.6 and delta(recall@10) > -0.02"
    )
    assert result.exit_code == 1
    assert "B missed: recall@10 is 0.5, wanted >= 0.6" in result.output
    assert "B missed: delta(recall@10) is -1, wanted > -0.02" in result.output


def test_an_eval_is_held_to_its_gate(invoke):
    given = ("eval", "tools", "--limit", 3, "--no-track", "--gate")
    assert invoke(*given, "failed == 0").exit_code == 0
    missed = invoke(*given, "failed > 0")
    assert missed.exit_code == 1
    assert "missed: failed is 0, wanted > 0" in missed.output


def test_an_eval_with_an_impossible_gate_does_not_begin(invoke):
    result = invoke("eval", "tools", "--no-track", "--gate", "delta(top1) > 0")
    assert isinstance(result.exception, HarnessError)
    assert "selection" not in result.output


def test_report_without_runs_draws_the_newest_of_each_kind(invoke, two_runs, tmp_path):
    page = tmp_path / "page.html"
    assert invoke("report", "--out", page).exit_code == 0
    assert "12 of 12 questions had evidence in first place" in page.read_text("utf-8")


def test_a_filtered_eval_prints_its_slices(invoke):
    arguments = ("--split", "tune", "--filter", "tools=", "--limit", 4, "--slice", "abstained")
    result = invoke("eval", "tools", *arguments, "--no-track")
    assert result.exit_code == 0, result.output
    assert "by abstained" in result.output


def test_a_slice_that_rows_have_not_is_one_line(invoke):
    result = invoke("eval", "tools", "--limit", 2, "--slice", "kind")
    assert isinstance(result.exception, HarnessError)
    assert "rows have no such column" in str(result.exception)
    assert "kept as MLflow run" in result.output  # what was measured is not lost


@pytest.mark.parametrize("task", ["retrieval", "calls", "pipeline"])
def test_a_filter_that_nothing_matches_is_told_before_services_start(invoke, task):
    result = invoke("eval", task, "--filter", "category=none", "--no-track")
    assert isinstance(result.exception, HarnessError)
    assert "--filter category=none: no sample matches" in str(result.exception)
    assert "starting" not in result.output


def test_a_run_in_which_too_many_failed_exits_1_after_keeping_its_rows(
    invoke, tracked, monkeypatch
):
    from harness.tools.selection import ToolSelector

    async def broken(*_, **__):
        raise RuntimeError("no embedder")

    monkeypatch.setattr(ToolSelector, "select", broken)
    arguments = ("eval", "tools", "--limit", 7, "--no-track")
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert "7 of 7 failed, more than --max-failed 0.1 allows" in result.output
    kept = [path.read_text() for path in (tracked.home / "evals").glob("*/finished.jsonl")]
    assert any(text.count("no embedder") == 7 for text in kept)
    assert invoke(*arguments, "--max-failed", 1).exit_code == 0


def test_data_lists_what_is_there_and_where_the_rest_goes(invoke, tmp_path):
    (tmp_path / "locomo").mkdir()
    (tmp_path / "locomo" / "locomo10.json").write_text("[]")
    shown = "".join(invoke("data", "list", "--data-dir", tmp_path).output.split())
    assert "conversations" in shown
    assert "CCBY-NC4.0" in shown
    assert "notthere" in shown


def test_a_fit_that_there_is_not_is_told_in_a_line(invoke):
    found = invoke("eval", "retrieval", "--fit", "best")
    assert isinstance(found.exception, HarnessError)
    assert str(found.exception).startswith("--fit 'best' is unknown")


def test_cross_validation_fits_no_retriever_but_the_hybrid_one(
    invoke, tracked, monkeypatch, use_settings
):
    dense = tracked.model_copy(update={"retriever": "dense"})
    use_settings(monkeypatch, lambda: dense)
    found = invoke("eval", "retrieval", "--fit", "cv")
    assert isinstance(found.exception, HarnessError)
    assert "HARNESS_RETRIEVER is 'dense'" in str(found.exception)
