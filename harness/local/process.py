"""One child process of a stack: its start, its log and its end."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_GUARD = Path(__file__).with_name("_guard.py")
_TERM_GRACE_S = 6.0
_KILL_GRACE_S = 5.0
_LOG_BYTES = 16 * 1024 * 1024  # a longer log is put aside at the next start
_LINE_BYTES = 256 * 1024
_FRAME = re.compile(r"\s|(\w+:\s+)?Traceback \(most recent call last\)")  # Python's and Node's

Echo = Callable[[str], None]


class Process:
    """A process in a group of its own, which ends with this one.

    Args:
        command: what to run.
        env: its whole environment.
        log: where its output is appended.
        echo: called with every line of output as well.
    """

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], log: Path, echo: Echo | None = None
    ) -> None:
        self._command = list(command)
        self._env = dict(env)
        self._log = log
        self._echo = echo
        self._child: asyncio.subprocess.Process | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, which is its group's too; None before the start."""
        return self._child.pid if self._child else None

    @property
    def exit_code(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""
        return self._child.returncode if self._child else None

    async def start(self) -> None:
        """Run the command."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
            self._log.replace(self._log.with_suffix(".old.log"))
        guarded = [sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), *self._command]
        with self._log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *guarded,
                env=self._env,
                stdin=asyncio.subprocess.DEVNULL,
                # Without an echo the child writes the file itself: a busy loop can't hold it up.
                stdout=asyncio.subprocess.PIPE if self._echo else log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                limit=_LINE_BYTES,
            )
        if self._echo and self._child.stdout:
            self._pump = asyncio.create_task(self._copy(self._child.stdout, self._echo))

    async def wait(self) -> int:
        """Wait for the end; answers the exit code."""
        if self._child is None:
            raise RuntimeError("the process was not started")
        return await self._child.wait()

    async def stop(self) -> None:
        """Ask the group to end, then kill what is left of it."""
        if self._child is None:
            return
        if self._child.returncode is None:
            self._signal(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(_TERM_GRACE_S):
                    await self._child.wait()
        await self.kill()

    async def kill(self) -> None:
        """Kill the whole group at once (SIGKILL)."""
        if self._child is None:
            return
        self._signal(signal.SIGKILL)
        async with asyncio.timeout(_KILL_GRACE_S):
            await self._child.wait()
        if self._pump:
            # The end of the output may still be on its way; a grandchild may keep the pipe open.
            await asyncio.wait([self._pump], timeout=1)
            self._pump.cancel()

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log, without the frames of tracebacks: those are for the file."""
        if not self._log.exists():
            return ""
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - 16_384))
            text = log.read().decode(errors="replace")
        told = [line for line in text.splitlines() if line.strip() and not _FRAME.match(line)]
        return "\n".join(told[-lines:])

    def _signal(self, number: signal.Signals) -> None:
        if self._child:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, number)

    async def _copy(self, output: asyncio.StreamReader, echo: Echo) -> None:
        with self._log.open("ab", buffering=0) as log:
            while True:
                try:
                    line = await output.readline()
                except ValueError:  # a line longer than the buffer; its rest follows as the next
                    continue
                if not line:
                    return
                log.write(line)
                echo(line.decode(errors="replace").rstrip("\n"))


def group_memory_mb(groups: set[int]) -> float:
    """Resident memory of all processes in these groups, in megabytes (10^6 bytes).

    Source: proc(5); pages shared between processes count once for each.

    Args:
        groups: process group ids.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for folder, _ in _processes(groups):
        with suppress(OSError):
            total += int((folder / "statm").read_text().split()[1]) * page
    return total / 1e6


def group_cpu_s(groups: set[int]) -> float:
    """Processor time, in seconds, that the living processes of these groups have used.

    Source: proc(5), utime and stime.

    Args:
        groups: process group ids.
    """
    ticks = sum(int(stat[11]) + int(stat[12]) for _, stat in _processes(groups))
    return ticks / os.sysconf("SC_CLK_TCK")


def _processes(groups: set[int]) -> Iterator[tuple[Path, list[str]]]:
    """The /proc folder of each process in these groups, and what its `stat` says from its state."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError, IndexError, ValueError):
            # The command's name stands in parentheses and may hold anything.
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(stat[2]) in groups:
                yield folder, stat
