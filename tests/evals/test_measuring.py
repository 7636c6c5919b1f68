"""What a command does with a measurement that is not what was hoped for."""

import polars as pl
import pytest
import typer

from evals.commands.measuring import Keeping, measure
from evals.figures import build_document, figure
from evals.tasks.result import Evaluation

SILENT = "the judge 'strict' gave no verdict but \"hm\""


def judged(*errors: str | None) -> Evaluation:
    rows = pl.DataFrame(
        {
            "error": [None] * len(errors),
            "judge_error": errors,
            "score_rubric": [1.0 if error is None else None for error in errors],
        },
        schema_overrides={"error": pl.String, "judge_error": pl.String},
    )
    return Evaluation(build_document("eval pipeline", {"score": figure(1, "")}, {}), rows)


@pytest.fixture
def measured(capsys):
    """Measures with a result that is given; what was printed, and how it exited."""

    def run(evaluation: Evaluation, max_failed: float) -> tuple[str, int]:
        async def task(*_):
            return evaluation

        code = 0
        try:
            measure(task, Keeping("some", None, False, None, max_failed, None))
        except typer.Exit as ended:
            code = ended.exit_code
        return capsys.readouterr().out, code

    return run


def test_answers_that_the_judge_did_not_judge_are_told_with_its_reason(measured):
    out, code = measured(judged(SILENT, None, SILENT, None, None), 0.5)
    assert f"not judged: 2 × {SILENT}" in out.replace("\n", " ")
    assert code == 0


def test_a_judge_that_is_silent_too_often_fails_the_run(measured):
    out, code = measured(judged(SILENT, None, SILENT, None), 0.4)
    assert "2 of 4 were not judged, more than --max-failed 0.4 allows" in out
    assert code == 1
