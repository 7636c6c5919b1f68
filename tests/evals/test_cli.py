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
def invoke(tracked, monkeypatch):
    monkeypatch.setattr(cli, "get_settings", lambda: tracked)
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


def test_report_without_runs_draws_the_newest_of_each_kind(invoke, two_runs, tmp_path):
    page = tmp_path / "page.html"
    assert invoke("report", "--out", page).exit_code == 0
    assert "12 of 12 questions had evidence in first place" in page.read_text("utf-8")


def test_data_lists_what_is_there_and_where_the_rest_goes(invoke, tmp_path):
    (tmp_path / "locomo").mkdir()
    (tmp_path / "locomo" / "locomo10.json").write_text("[]")
    shown = "".join(invoke("data", "list", "--data-dir", tmp_path).output.split())
    assert "conversations" in shown
    assert "CCBY-NC4.0" in shown
    assert "notthere" in shown
