"""How far long work is: a rich bar on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINES = 5  # plain lines of one piece of work


class CountedProgress:
    """Counts what is finished and what failed of one piece of work, and shows it."""

    def __init__(self, label: str, total: int, console: Console) -> None:
        """Show nothing yet.

        Args:
            label: what is done.
            total: how much there is to do; may be set later, when it is known.
            console: where to show it; a bar if it is a terminal.
        """
        self.label, self.total = label, total
        self.done = self.failed = 0
        self.cost = 0.0
        self._console = console
        self._started = time.monotonic()
        self._bar: Progress | None = None
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn(
                    "{task.fields[rate]:.1f}/s, {task.fields[failed]} failed{task.fields[cost]}"
                ),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task(label, total=total, rate=0.0, failed=0, cost="")

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

    def advance(self, count: int = 1, *, failed: int = 0, cost: float = 0.0) -> None:
        """Count what has just been finished.

        Args:
            count: how much.
            failed: how much of it did not succeed.
            cost: what it cost, in the currency of the models' prices; shown once there is any.
        """
        line = self._line()
        self.done += count
        self.failed += failed
        self.cost += cost
        rate = self.done / max(1e-9, time.monotonic() - self._started)
        if self._bar:
            self._bar.update(
                self._task,
                completed=self.done,
                total=self.total,
                rate=rate,
                failed=self.failed,
                cost=self._cost(),
            )
        elif self._line() > line:
            self._console.print(
                f"{self.label}: {self.done}/{self.total}, {self.failed} failed, {rate:.1f}/s"
                + self._cost()
            )

    def _cost(self) -> str:
        return f", cost {self.cost:.4f}" if self.cost else ""

    def _line(self) -> int:
        """How many plain lines are due by now."""
        return self.done * LINES // max(1, self.total)
