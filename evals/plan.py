"""How a task is run: which samples, how often, and where finished rows are kept meanwhile."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel
from rich.console import Console

from evals.datasets.loader import DatasetInfo
from evals.filters import Filter
from evals.identity import identity_key, run_identity
from evals.journal import Journal
from evals.tasks.result import spread_evenly
from harness.settings import Settings

SampleT = TypeVar("SampleT", bound=BaseModel)


@dataclass(frozen=True)
class Plan:
    """What of a set is measured.

    Attributes:
        limit: at most so many samples, spread over those that the filters leave.
        filters: all of which a sample must match.
        repeats: how often each sample is measured.
        journals: the folder that holds one journal a configuration; None keeps no rows on disk.
        resume: see `Journal`.
    """

    limit: int | None = None
    filters: tuple[Filter, ...] = ()
    repeats: int = 1
    journals: Path | None = None
    resume: bool | None = None

    def select(self, samples: Sequence[SampleT]) -> list[SampleT]:
        """The samples to measure, in their order."""
        kept = list(samples)
        for each in self.filters:
            kept = each.keep(kept)
        return spread_evenly(kept, self.limit)

    def settings(self) -> dict[str, Any]:
        """What of it decides the rows, for the record."""
        return {
            "limit": self.limit,
            "filters": [str(each) for each in self.filters],
            "repeats": self.repeats,
        }

    def open_journal(
        self,
        task: str,
        settings: Settings,
        dataset: DatasetInfo,
        console: Console,
        **options: Any,
    ) -> Journal | None:
        """The journal of this configuration, telling in a line what is taken from it.

        Args:
            task: such as `eval retrieval`.
            settings: of the services.
            dataset: what is measured on.
            console: told of a resumed run.
            options: of the task, beside the plan's own.
        """
        if self.journals is None:
            return None
        identity = run_identity(task, settings, dataset, self.settings() | options)
        folder = self.journals / identity_key(identity)
        journal = Journal(folder, self.resume)
        (folder / "run.json").write_text(json.dumps(identity, indent=2) + "\n", "utf-8")
        if journal.rows:
            failed = sum(row["error"] is not None for row in journal.rows.values())
            console.print(
                f"resuming with {len(journal.rows)} rows of an earlier run, {failed} failed; "
                "--fresh measures them anew"
            )
        return journal


WHOLE = Plan()
