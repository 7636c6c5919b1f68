"""Scores messages by scorers of `mlflow.genai`, so that MLflow's evaluation views show the run."""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from evals._assessments import own_assessments
from evals.figures import Figure, figure
from evals.genai_scorers import judge_environment, load_scorers
from evals.tasks.result import Evaluation, mean_figures
from evals.traces import log_message_traces, trace_id_of
from evals.tracking import begin_run, connect, global_tracking
from harness.errors import HarnessError
from harness.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities import Trace
    from mlflow.genai.scorers import Scorer

_PAGE = 100
_YES_NO = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def trace_evaluation(
    settings: Settings,
    evaluation: Evaluation,
    name: str,
    scorers: Sequence[str] = (),
    *,
    parent: str | None = None,
) -> tuple[Evaluation, str]:
    """Begin an evaluation's run with a trace and the scores of each of its messages.

    Args:
        settings: say where the store is, and who judges.
        evaluation: with the records of its messages.
        name: of the run.
        scorers: names of `mlflow.genai` scorers (see `load_scorers`).
        parent: the id of the run that this one is part of.

    Returns:
        The evaluation, its rows with their trace ids and, like its figures, with the scorers'
        added; and the id of its open run.

    Raises:
        HarnessError: a scorer is not known, or would overwrite a column of the rows.
    """
    connect(settings)
    loaded = load_scorers(scorers, settings)
    taken = [each.name for each in loaded if each.name in evaluation.rows.columns]
    if taken:
        raise HarnessError(
            f"--scorer {taken[0]!r}: the rows have a column of this name", "Give it another name."
        )
    run_id = begin_run(settings, evaluation.document, name, parent=parent)
    client = connect(settings)
    try:
        client.set_tag(run_id, "mlflow.runType", "genai_evaluate")
        judge = evaluation.document.settings.get("eval.judge")
        opinions = own_assessments(run_id, evaluation.rows, evaluation.scores, judge)
        traces = log_message_traces(settings, run_id, evaluation.records, opinions)
        ids = [traces.get(key) for key in evaluation.rows["message_key"]]
        rows = evaluation.rows.with_columns(pl.Series("trace_id", ids, pl.String))
        if not loaded:
            return replace(evaluation, rows=rows), run_id
        _evaluate(settings, run_id, loaded)
        client.update_run(run_id, status="RUNNING")  # which MLflow has called finished
        rows = _with_scores(settings, run_id, rows, loaded)
    except BaseException:
        client.set_terminated(run_id, status="FAILED")
        raise
    figures = _figures(rows, [each.name for each in loaded])
    document = evaluation.document.model_copy(
        update={"figures": evaluation.document.figures | figures}
    )
    return replace(evaluation, rows=rows, document=document), run_id


def _evaluate(settings: Settings, run_id: str, scorers: "list[Scorer]") -> None:
    import mlflow

    data = [{"trace": each} for each in _traces(settings, run_id)]
    try:
        with (
            global_tracking(settings),
            judge_environment(settings),
            _quiet(),
            mlflow.start_run(run_id=run_id),
        ):
            mlflow.genai.evaluate(data=data, scorers=scorers)
    except mlflow.exceptions.MlflowException as error:
        reason = " ".join(str(error).split())[:300]
        raise HarnessError(f"MLflow would not evaluate: {reason}", "Check --scorer.") from error


def _traces(settings: Settings, run_id: str, spans: bool = True) -> "list[Trace]":
    client = connect(settings)
    experiment_id = client.get_run(run_id).info.experiment_id
    found: list[Trace] = []
    token: str | None = None
    while True:
        page = client.search_traces(
            locations=[experiment_id],
            run_id=run_id,
            include_spans=spans,
            max_results=_PAGE,
            page_token=token,
        )
        found += page
        token = page.token
        if not token:
            return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Without MLflow's progress bar, advice and warnings: what failed is in the rows."""
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with (
        redirect_stdout(io.StringIO()),
        redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
    logger.setLevel(level)


def _with_scores(
    settings: Settings, run_id: str, rows: pl.DataFrame, scorers: "list[Scorer]"
) -> pl.DataFrame:
    """The rows with a column for each scorer, and one with its error where it failed.

    A failed score is null, and 0 where the others are yes and no; so is that of a row without a
    message. A scorer of whole conversations scores one message of each.
    """
    said = {
        trace.info.trace_id: trace.info.assessments for trace in _traces(settings, run_id, False)
    }
    ids = [None if key is None else trace_id_of(key) for key in rows["message_key"]]
    for scorer in scorers:
        found = [
            next((each for each in said.get(str(id_), ()) if _is_of(each, scorer.name)), None)
            for id_ in ids
        ]
        values = [None if each is None else _value(each) for each in found]
        errors = [_error(each, scorer.is_session_level_scorer) for each in found]
        rows = rows.with_columns(
            pl.Series(scorer.name, _numbers(values, errors)),
            pl.Series(f"{scorer.name}_error", errors, dtype=pl.String),
        )
    return rows


def _is_of(assessment: Any, name: str) -> bool:
    return bool(assessment.name == name and assessment.feedback is not None)


def _value(assessment: Any) -> Any:
    return assessment.feedback.value


def _error(assessment: Any, of_conversation: bool) -> str | None:
    if assessment is None:
        return None if of_conversation else "not scored"
    error = assessment.feedback.error
    if error is None:
        return None
    lines = str(error.error_message or error.error_code).splitlines()
    return lines[0] if lines else "failed"


def _numbers(values: list[Any], errors: list[str | None]) -> list[float | None] | list[str | None]:
    """Values as numbers where they all are some, else as texts."""
    given = [value for value in values if value is not None]
    if given and all(_yes_no(value) is not None for value in given):
        failed = [None if error is None else 0.0 for error in errors]
        pairs = zip(values, failed, strict=True)
        return [zero if value is None else _yes_no(value) for value, zero in pairs]
    if all(isinstance(value, int | float) for value in given):
        return [None if value is None else float(value) for value in values]
    return [None if value is None else str(value) for value in values]


def _yes_no(value: Any) -> float | None:
    return _YES_NO.get(str(value).lower()) if isinstance(value, bool | str) else None


def _figures(rows: pl.DataFrame, names: Sequence[str]) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for name in names:
        scored = rows.filter(pl.col(name).is_not_null())
        if scored.height and scored[name].dtype == pl.Float64:
            figures |= mean_figures(scored, [name])
        failed = rows[f"{name}_error"].count()
        figures[f"{name}_failed"] = figure(failed, "samples", rows.height)
    return figures
