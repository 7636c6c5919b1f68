import polars as pl
import pytest

from evals.datasets.loader import DatasetInfo
from evals.figures import Figure, build_document, figure
from evals.tracking import connect, keep_run, newest_of_each, read_run
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
