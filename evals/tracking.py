"""Keeps a measurement in MLflow: figures with intervals, settings, rows, plots and origins.

Importing MLflow takes seconds and its first database takes eight, so commands import this module
only when they have something to keep.
"""

import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import polars as pl

from evals.figures import Document
from evals.runner import write_rows
from evals.tasks.result import Evaluation
from harness.errors import HarnessError
from harness.llm.models import ModelSpec
from harness.settings import Settings
from harness.telemetry.logs import redact

if TYPE_CHECKING:
    from mlflow import MlflowClient

_TRACKING_URI = "MLFLOW_TRACKING_URI"
_ANSWERS_WITHIN_S = 10.0
_METRICS_A_BATCH = 1000  # MLflow's limits of one log_batch call
_PARAMS_A_BATCH = 100
_PARAM_CHARACTERS = 6000
PARENT = "mlflow.parentRunId"  # the tag by which MLflow shows runs under another
_METRIC_NAME_REPLACES = {"@": "_at_"}  # MLflow refuses the character


def tracking_uri(settings: Settings) -> str:
    """`MLFLOW_TRACKING_URI`, or a SQLite file in the harness's home."""
    given = os.environ.get(_TRACKING_URI)
    return given or f"sqlite:///{(settings.home / 'mlflow.db').resolve()}"


def artifact_root(settings: Settings) -> Path:
    """Where runs of the local SQLite keep their files."""
    return (settings.home / "mlflow-artifacts").resolve()


def connect(settings: Settings) -> "MlflowClient":
    """A client of the tracking store, with MLflow's telemetry off and its set-up chatter hidden."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # Which holds who signs in there.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    settings.home.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Deprecations between MLflow and SQLAlchemy are no news to whoever runs an eval.
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=tracking_uri(settings))


def check_tracking(settings: Settings) -> None:
    """Find out before a long measurement that its server cannot be reached.

    Args:
        settings: say where the store is.

    Raises:
        HarnessError: the tracking address is a server's, and nothing answers there.
    """
    uri = tracking_uri(settings)
    if not uri.startswith(("http://", "https://")):
        return
    try:
        httpx.get(f"{uri.rstrip('/')}/health", timeout=_ANSWERS_WITHIN_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise HarnessError(
            f"no MLflow server answers at {redact(uri)}: {redact(str(error))}",
            f"Start it, or unset {_TRACKING_URI} to keep runs in {settings.home}.",
        ) from error


@contextmanager
def global_tracking(settings: Settings) -> Iterator[None]:
    """MLflow's own address is the tracking store's, for those of its functions that ask for none.

    Args:
        settings: say where the store is.
    """
    import mlflow

    before = os.environ.get(_TRACKING_URI)  # which MLflow keeps its own in
    mlflow.set_tracking_uri(tracking_uri(settings))
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None is none


def metric_name(figure: str) -> str:
    """A figure's name as MLflow accepts it: `recall@10` becomes `recall_at_10`."""
    for character, replacement in _METRIC_NAME_REPLACES.items():
        figure = figure.replace(character, replacement)
    return figure


def begin_run(
    settings: Settings, document: Document, name: str, *, parent: str | None = None
) -> str:
    """Open a run, tagged with what it measures on what, and return its id.

    Args:
        settings: say where the store is.
        document: of the measurement; its command is the experiment.
        name: of the run.
        parent: the id of the run that this one is part of; they share an experiment.
    """
    client = connect(settings)
    tags = _tags(document)
    if parent is None:
        experiment = _experiment(client, settings, document.command)
    else:
        experiment = client.get_run(parent).info.experiment_id
        tags[PARENT] = parent
    run = client.create_run(experiment, run_name=name, tags=tags)
    return str(run.info.run_id)


def keep_run(
    settings: Settings,
    document: Document,
    *,
    name: str,
    rows: pl.DataFrame | None = None,
    files: Mapping[str, str] | None = None,
    models: Sequence[ModelSpec] = (),
    run_id: str | None = None,
) -> str:
    """Keep one finished measurement as a run and return its id.

    Args:
        settings: say where the store is.
        document: its figures become metrics (with `_low` and `_high`), its settings params, its
            origins tags; the document itself is kept as `figures.json`.
        name: of the run; the experiment is the document's command.
        rows: one row a sample, kept as `rows.parquet`.
        files: further artifacts: text by file name, such as plots.
        models: that answered; their prompt templates are kept.
        run_id: of a run that is open already.
    """
    client = connect(settings)
    run_id = run_id or begin_run(settings, document, name)
    try:
        _log_tags(client, run_id, document)
        _log_figures(client, run_id, document)
        _log_params(client, run_id, document.settings)
        client.log_text(run_id, document.model_dump_json(indent=2), "figures.json")
        if rows is not None:
            path = settings.home / "tmp" / run_id / "rows.parquet"
            write_rows(rows, path)
            client.log_artifact(run_id, str(path))
            path.unlink()
            path.parent.rmdir()
        for file, text in (files or {}).items():
            client.log_text(run_id, text, file)
        if models:
            from evals.prompts import keep_prompts

            keep_prompts(client, run_id, models, settings)
    except BaseException:
        client.set_terminated(run_id, status="FAILED")
        raise
    client.set_terminated(run_id)
    return run_id


def keep_evaluation(
    settings: Settings, evaluation: Evaluation, name: str, run_id: str | None = None
) -> str:
    """Keep a finished eval with its report, plots and prompt templates, and return the run's id.

    Args:
        settings: say where the store is.
        evaluation: figures and rows.
        name: of the run.
        run_id: of a run that is open already.
    """
    from evals.report import build_report, pictures
    from evals.sections import sections_of

    document, rows = evaluation.document, evaluation.rows
    sections = sections_of(document, rows)
    files = {"report.html": build_report(f"{document.command}: {name}", sections)}
    files |= {f"plots/{plot}.svg": text for plot, text in pictures(sections).items()}
    return keep_run(
        settings,
        document,
        name=name,
        rows=rows,
        files=files,
        models=evaluation.models,
        run_id=run_id,
    )


def newest_of_each(settings: Settings) -> list[str]:
    """The id of the newest finished run of each command."""
    newest: dict[str, str] = {}
    for run in latest_runs(settings, limit=200):
        newest.setdefault(run["command"], run["run_id"])
    return list(newest.values())


def read_run(settings: Settings, run_id: str) -> tuple[Document, pl.DataFrame | None]:
    """The document and the rows of a kept run.

    Args:
        settings: say where the store is.
        run_id: as `keep_run` returned it.

    Raises:
        HarnessError: no such run, or it holds no figures.
    """
    from mlflow.exceptions import MlflowException

    client = connect(settings)
    try:
        names = {artifact.path for artifact in client.list_artifacts(run_id)}
    except MlflowException:
        raise HarnessError(
            f"run {run_id!r} is not in {redact(tracking_uri(settings))}",
            "`harness ui` shows the runs there are.",
        ) from None
    if "figures.json" not in names:
        raise HarnessError(f"run {run_id!r} holds no figures", "Name a run of a harness command.")
    document = Document.model_validate_json(
        Path(client.download_artifacts(run_id, "figures.json")).read_text("utf-8")
    )
    rows = None
    if "rows.parquet" in names:
        rows = pl.read_parquet(client.download_artifacts(run_id, "rows.parquet"))
    return document, rows


def latest_runs(settings: Settings, limit: int = 20) -> list[dict[str, Any]]:
    """The newest finished runs over all experiments: id, name, command and start (ms UTC).

    Runs that are part of another one are not among them.
    """
    client = connect(settings)
    experiments = {item.experiment_id: item.name for item in client.search_experiments()}
    found = client.search_runs(
        list(experiments),
        "attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=limit,
    )
    return [
        {
            "run_id": run.info.run_id,
            "name": run.info.run_name,
            "command": experiments[run.info.experiment_id],
            "started": run.info.start_time,
        }
        for run in found
        if PARENT not in run.data.tags
    ]


def _experiment(client: "MlflowClient", settings: Settings, name: str) -> str:
    known = client.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    local = tracking_uri(settings).startswith("sqlite:")
    # Without a root, MLflow makes ./mlruns wherever the command happens to run.
    root = (artifact_root(settings) / metric_name(name).replace(" ", "-")).as_uri()
    return str(client.create_experiment(name, artifact_location=root if local else None))


def _log_tags(client: "MlflowClient", run_id: str, document: Document) -> None:
    """Tag a run anew: where it was begun early, it was not known what would answer."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in _tags(document).items()])


def _log_figures(client: "MlflowClient", run_id: str, document: Document) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics: list[Metric] = []
    for name, item in document.figures.items():
        for suffix, value in (("", item.value), ("_low", item.low), ("_high", item.high)):
            if value is not None:
                metrics.append(Metric(metric_name(name) + suffix, value, now, 0))
    for start in range(0, len(metrics), _METRICS_A_BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _METRICS_A_BATCH])


def _log_params(client: "MlflowClient", run_id: str, settings: dict[str, Any]) -> None:
    from mlflow.entities import Param

    params = [Param(key, str(value)[:_PARAM_CHARACTERS]) for key, value in settings.items()]
    for start in range(0, len(params), _PARAMS_A_BATCH):
        client.log_batch(run_id, params=params[start : start + _PARAMS_A_BATCH])


def _tags(document: Document) -> dict[str, str]:
    tags = {
        "task": document.command,
        "git_revision": str(document.git.get("revision")),
        "git_dirty": str(document.git.get("dirty")),
        "simulated": str(document.simulated).lower(),
        "model": str(document.settings.get("model") or "none"),
        "engines": ", ".join(f"{name}: {what}" for name, what in document.engines.items()),
    }
    if document.dataset:
        tags |= {
            "dataset": document.dataset.name,
            "split": document.dataset.split,
            "dataset_sha256": document.dataset.sha256,
        }
    return tags
