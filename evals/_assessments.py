"""Rows' own scores and what was expected, as MLflow's assessments of their traces."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from mlflow.entities import Assessment

_SOURCE = "harness"
_RUBRIC = "score_rubric"  # the one score that a model gave


def own_assessments(
    run_id: str, rows: pl.DataFrame, scores: Sequence[str], judge: str | None = None
) -> "dict[str, list[Assessment]]":
    """What the task itself thinks of each message, by message key.

    Args:
        run_id: of the run that thinks so.
        rows: with `message_key`, `error` and the scores; `expected` where something was.
        scores: names of columns with numbers; a missing number is no assessment.
        judge: the model that judged rubrics; its reasons are in the rows' `rubric_reasons`.
    """
    from mlflow.entities import AssessmentSource, AssessmentSourceType, Expectation, Feedback
    from mlflow.tracing.constant import AssessmentMetadataKey

    source = AssessmentSource(source_type=AssessmentSourceType.CODE, source_id=_SOURCE)
    judged = AssessmentSource(source_type=AssessmentSourceType.LLM_JUDGE, source_id=judge)
    metadata = {AssessmentMetadataKey.SOURCE_RUN_ID: run_id}
    found: dict[str, list[Assessment]] = {}
    for row in rows.filter(pl.col("message_key").is_not_null()).iter_rows(named=True):
        wanted = expectations(row.get("expected"))
        found[row["message_key"]] = [
            Feedback(
                name=name,
                value=row[name],
                source=judged if judge and name == _RUBRIC else source,
                metadata=dict(metadata),
                rationale=_why(row, name),
            )
            for name in scores
            if row[name] is not None
        ] + [Expectation(name=name, value=value, source=source) for name, value in wanted.items()]
    return found


def _why(row: dict[str, Any], score: str) -> str | None:
    """Why a row has its score: what failed, or what the judge said."""
    reasons: list[str] = row.get("rubric_reasons") or [] if score == _RUBRIC else []
    return row["error"] or " ".join(reasons) or None


def expectations(expected: Any) -> dict[str, Any]:
    """What a row expects under the names that MLflow's scorers look for.

    Args:
        expected: a text is the `expected_response`, several are `expected_facts`; a mapping has
            names of its own.
    """
    if not expected:
        return {}
    if isinstance(expected, dict):
        return {name: value for name, value in expected.items() if value is not None}
    return {"expected_response" if isinstance(expected, str) else "expected_facts": expected}
