"""How far a long measurement is: a rich bar on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINES = 5  # plain lines a run prints, besides the last


class SampleProgress:
    """Counts finished and failed samples of one run and shows them."""

    def __init__(self, label: str, total: int, console: Console) -> None:
        """Show nothing yet.

        Args:
            label: what is measured.
            total: number of samples.
            console: where to show it; a bar if it is a terminal.
        """
        self.label, self.total = label, total
        self.done = self.failed = 0
        self._console = console
        self._started = time.monotonic()
        self._bar: Progress | None = None
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]:.1f}/s, {task.fields[failed]} failed"),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task(label, total=total, rate=0.0, failed=0)

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, *, failed: bool) -> None:
        """Count one finished sample."""
        self.done += 1
        self.failed += failed
        rate = self.done / max(1e-9, time.monotonic() - self._started)
        if self._bar:
            self._bar.update(self._task, completed=self.done, rate=rate, failed=self.failed)
        elif self.done == self.total or self.done % max(1, self.total // LINES) == 0:
            self._console.print(
                f"{self.label}: {self.done}/{self.total}, {self.failed} failed, {rate:.1f}/s"
            )
