import io
import json
import subprocess

import pytest
from pydantic import SecretStr
from rich.console import Console

from evals.datasets.loader import DatasetInfo
from evals.figures import (
    build_document,
    figure,
    git_state,
    interval_figure,
    print_figures,
    public_settings,
    write_document,
)
from evals.statistics import Interval, mean_interval
from harness.settings import Settings


@pytest.fixture
def document():
    nan = float("nan")
    figures = {
        "recall@10": interval_figure(mean_interval([0.0, 1.0, 1.0, 0.5]), ""),
        "ack_p50_ms": figure(12.34, "ms", 100),
        "abstain_precision": interval_figure(Interval(nan, nan, nan, 0), ""),
    }
    info = DatasetInfo(name="mine", sha256="ab" * 32, split="test")
    return build_document(
        "eval retrieval", figures, {"k": 10}, engines={"convex": "local engine"}, dataset=info
    )


def test_the_file_has_the_agreed_shape(document, tmp_path):
    write_document(document, tmp_path / "out" / "figures.json")
    kept = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert kept["figures"]["ack_p50_ms"]["value"] == 12.34
    assert kept["figures"]["ack_p50_ms"]["unit"] == "ms"
    assert set(kept["figures"]["recall@10"]) == {"value", "unit", "low", "high", "n"}
    assert kept["dataset"] == {"name": "mine", "sha256": "ab" * 32, "split": "test"}
    assert {"settings", "versions", "git"} <= set(kept)


def test_what_is_undefined_is_null_and_not_invalid_json(document, tmp_path):
    write_document(document, tmp_path / "figures.json")
    assert (
        json.loads((tmp_path / "figures.json").read_text())["figures"]["abstain_precision"]["value"]
        is None
    )


def test_the_printed_table_names_units_intervals_and_origin(document):
    console = Console(file=io.StringIO(), width=120)
    print_figures(document, console)
    printed = console.file.getvalue()
    for part in ("12.3 ms", "recall@10", "data mine/test abababababab", "convex: local engine"):
        assert part in printed


def test_a_simulated_model_is_said_to_be_one(document):
    console = Console(file=io.StringIO(), width=160)
    print_figures(document.model_copy(update={"simulated": True}), console)
    assert "SIMULATED" in console.file.getvalue()


def test_settings_hold_no_secret():
    settings = Settings(inngest_event_key=SecretStr("hush"), rate_limit="5/minute")
    shown = public_settings(settings)
    assert "hush" not in json.dumps(shown)
    assert "inngest_event_key" not in shown
    assert shown["rate_limit"] == "5/minute"


def test_git_state_tells_changed_files(tmp_path):
    def git(*arguments):
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            check=True,
            capture_output=True,
        )

    git("init")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "one")
    assert git_state(tmp_path)["dirty"] is False
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path)["dirty"] is True
    assert len(git_state(tmp_path)["revision"]) == 40


def test_outside_a_checkout_there_is_no_revision(tmp_path):
    assert git_state(tmp_path) == {"revision": None, "dirty": None}
