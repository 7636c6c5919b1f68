from pathlib import Path

import polars as pl
import pytest

from evals.datasets.loader import DatasetInfo
from evals.figures import Figure, build_document, figure
from evals.tasks.result import Evaluation
from evals.tracking import (
    check_tracking,
    connect,
    global_tracking,
    keep_evaluation,
    keep_run,
    newest_of_each,
    read_run,
    tracking_uri,
)
from harness.errors import HarnessError


@pytest.fixture(scope="module")
def settings(tracked):
    return tracked


@pytest.fixture(scope="module")
def document():
    return build_document(
        "eval retrieval",
        {
            "recall@10": Figure(value=0.5, unit="", low=0.4, high=0.6, n=9),
            "p50_ms": figure(3, "ms"),
        },
        {"memory_hits": 10, "model": "simulated"},
        engines={"convex": "local engine"},
        simulated=True,
        dataset=DatasetInfo(name="mine", sha256="cd" * 32, split="tune"),
    )


@pytest.fixture(scope="module")
def rows():
    return pl.DataFrame({"sample": ["a", "b"], "recall@10": [0.0, 1.0]})


@pytest.fixture(scope="module")
def run_id(settings, document, rows):
    return keep_run(settings, document, name="first", rows=rows, files={"plot.html": "<p>hi</p>"})


@pytest.fixture(scope="module")
def run(settings, run_id):
    return connect(settings).get_run(run_id)


def test_figures_are_metrics_with_their_intervals(run):
    assert run.data.metrics == {
        "recall_at_10": 0.5,
        "recall_at_10_low": 0.4,
        "recall_at_10_high": 0.6,
        "p50_ms": 3.0,
    }


def test_settings_are_params(run):
    assert run.data.params == {"memory_hits": "10", "model": "simulated"}


def test_tags_say_what_was_measured_on_what(run, document):
    tags = run.data.tags
    assert tags["task"] == "eval retrieval"
    assert (tags["dataset"], tags["split"], tags["dataset_sha256"]) == ("mine", "tune", "cd" * 32)
    assert tags["engines"] == "convex: local engine"
    assert (tags["model"], tags["simulated"]) == ("simulated", "true")
    assert tags["git_revision"] == str(document.git["revision"])


def test_everything_stays_in_the_home(settings, run):
    assert (settings.home / "mlflow.db").is_file()
    assert run.info.artifact_uri.startswith(settings.home.resolve().as_uri())
    assert not list((settings.home / "tmp").iterdir())


def test_rows_and_figures_are_read_again(settings, run_id, document, rows):
    kept_document, kept_rows = read_run(settings, run_id)
    assert kept_document == document
    assert kept_rows.equals(rows)


def test_a_run_is_finished(run):
    assert run.info.status == "FINISHED"


def test_the_newest_run_of_each_command_is_found(settings, run_id, document):
    other = document.model_copy(update={"command": "eval tools"})
    tools = keep_run(settings, other, name="tools")
    newer = keep_run(settings, document, name="second")
    found = newest_of_each(settings)
    assert {tools, newer} <= set(found)
    assert run_id not in found


def test_an_unknown_run_is_named_in_one_line(settings):
    with pytest.raises(HarnessError, match="'nope'") as raised:
        read_run(settings, "nope")
    assert "\n" not in str(raised.value)


def test_mlflows_own_address_is_put_back(settings, monkeypatch):
    import mlflow

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    before = mlflow.get_tracking_uri()
    with global_tracking(settings):
        assert mlflow.get_tracking_uri() == tracking_uri(settings) != before
    assert mlflow.get_tracking_uri() == before


def test_an_address_is_named_without_who_signs_in_there(settings, monkeypatch):
    store = f"sqlite://somebody:hidden-word@/{(settings.home / 'mlflow.db').resolve()}"
    monkeypatch.setattr("evals.tracking.tracking_uri", lambda _: store)
    monkeypatch.setattr("evals.tracking.connect", lambda _: connect_to(settings))
    with pytest.raises(HarnessError) as raised:
        read_run(settings, "nope")
    assert "hidden-word" not in str(raised.value)


def connect_to(settings):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{(settings.home / 'mlflow.db').resolve()}")


def test_an_evaluation_keeps_its_plots_as_pictures_and_in_a_page(settings):
    rows = pl.DataFrame(
        {
            "gold": [["a"], ["b"]],
            "chosen": ["b", "b"],
            "confidence": [0.8, 0.9],
            "correct": [0.0, 1.0],
            "error": [None, None],
        },
        schema_overrides={"error": pl.String},
    )
    document = build_document("eval tools", {"top1": figure(0.5, "")}, {})
    run_id = keep_evaluation(settings, Evaluation(document, rows), "drawn")
    client = connect(settings)
    names = {each.path for each in client.list_artifacts(run_id)}
    assert {"figures.json", "report.html", "rows.parquet", "plots"} <= names
    plots = {each.path for each in client.list_artifacts(run_id, "plots")}
    assert plots == {"plots/confusion.svg", "plots/calibration.svg"}
    drawn = Path(client.download_artifacts(run_id, "plots/confusion.svg")).read_text("utf-8")
    assert drawn.startswith("<svg")


def test_a_server_that_is_not_there_is_told_in_one_line_before_a_run(
    settings, monkeypatch, free_port
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:hidden-word@127.0.0.1:{free_port()}")
    with pytest.raises(HarnessError, match="no MLflow server answers at http") as raised:
        check_tracking(settings)
    assert "hidden-word" not in str(raised.value)
    assert "\n" not in str(raised.value)
