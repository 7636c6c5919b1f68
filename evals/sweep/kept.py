"""A sweep in MLflow: its own run, and under it one run for each of its settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from evals.figures import Document
from evals.tasks.result import Evaluation
from evals.tracking import PARENT, begin_run, connect, keep_evaluation, keep_run, read_run
from harness.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_IDENTITY = "identity"  # the tag that says which code, configuration and data a run is of
_MEASURED_AS = "measured_as"  # the tag of a run that was measured as part of another sweep


@dataclass(frozen=True)
class KeptRun:
    """A run that is kept, with all that is shown of it; `again` if it had been measured before."""

    run_id: str
    document: Document
    rows: pl.DataFrame
    again: bool = False


class KeptSweep:
    """The runs of one sweep: found again, added one by one, and closed with their table.

    Args:
        settings: say where the store is.
        document: of the sweep, as far as it is known before it runs.
        name: of the sweep.
        identity: of the sweep; one that was interrupted is taken up.
    """

    def __init__(self, settings: Settings, document: Document, name: str, identity: str) -> None:
        self._settings, self._name = settings, name
        client = connect(settings)
        begun = _newest(client, document.command, identity, "attributes.status != 'FINISHED'")
        if begun is None:
            self.run_id = begin_run(settings, document, name)
            client.set_tag(self.run_id, _IDENTITY, identity)
        else:
            self.run_id = str(begun.info.run_id)
            client.update_run(self.run_id, status="RUNNING")
        self._command = document.command

    def find(self, identity: str) -> KeptRun | None:
        """The run that was measured with this code, configuration and data, under this sweep.

        A run of another sweep is kept once more, so that each sweep has all of its own.
        """
        client = connect(self._settings)
        found = _newest(client, self._command, identity, "attributes.status = 'FINISHED'")
        if found is None:
            return None
        run_id = str(found.info.run_id)
        document, rows = read_run(self._settings, run_id)
        if rows is None:
            return None
        if found.data.tags.get(PARENT) != self.run_id:
            evaluation = Evaluation(document, rows)
            origin = found.data.tags.get(_MEASURED_AS, run_id)
            run_id = self.keep(evaluation, str(found.info.run_name), identity)
            client.set_tag(run_id, _MEASURED_AS, origin)
        return KeptRun(run_id, document, rows, again=True)

    def keep(self, evaluation: Evaluation, name: str, identity: str) -> str:
        """Keep a measured run under the sweep and return its id."""
        if evaluation.records:
            from evals.genai import trace_evaluation

            evaluation, run_id = trace_evaluation(
                self._settings, evaluation, name, parent=self.run_id
            )
        else:
            run_id = begin_run(self._settings, evaluation.document, name, parent=self.run_id)
        keep_evaluation(self._settings, evaluation, name, run_id)
        connect(self._settings).set_tag(run_id, _IDENTITY, identity)
        return run_id

    def finish(self, document: Document, board: pl.DataFrame, files: Mapping[str, str]) -> None:
        """Close the sweep with its figures, its table and what is drawn of it."""
        keep_run(
            self._settings,
            document,
            name=self._name,
            rows=board,
            files=files,
            run_id=self.run_id,
        )

    def interrupt(self) -> None:
        """Say that the sweep did not come to its end."""
        connect(self._settings).set_terminated(self.run_id, status="KILLED")


def _newest(client: "MlflowClient", experiment: str, identity: str, condition: str) -> "Run | None":
    known = client.get_experiment_by_name(experiment)
    if known is None:
        return None
    found = client.search_runs(
        [known.experiment_id],
        f"tags.{_IDENTITY} = '{identity}' and {condition}",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return found[0] if found else None
