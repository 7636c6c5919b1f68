"""Runs one after another and many at once, in turn, so that noise meets all alike."""

from collections.abc import Callable, Sequence

from evals.figures import Figure, figure
from harness.local.process import group_cpu_s
from loadtest.bench.engine.runners import Ended, Runner
from loadtest.bench.names import short
from loadtest.histogram import percentiles

BLOCK = 10
WARM_UP = 5
SMALL_BURST, SMALL_ROUNDS = 500, 3
Say = Callable[[str], None]


async def one_after_another(
    runners: Sequence[Runner], count: int, say: Say
) -> dict[str, list[Ended]]:
    """Each runner's runs, by its name.

    Args:
        runners: take turns every ten runs.
        count: how many runs each.
        say: takes a line of progress.
    """
    found: dict[str, list[Ended]] = {runner.name: [] for runner in runners}
    for runner in runners:
        for _ in range(WARM_UP):
            await runner.run()
    for first in range(0, count, BLOCK):
        if first * 4 // count > (first - BLOCK) * 4 // count:
            say(f"one after another: {first} of {count} runs each")
        for runner in runners:
            for _ in range(min(BLOCK, count - first)):
                found[runner.name].append(await runner.run())
    return found


def sequential_figures(found: dict[str, list[Ended]]) -> dict[str, Figure]:
    """End to end and between steps, and each runner's median over the floor's."""
    figures: dict[str, Figure] = {}
    for name, runs in found.items():
        p50, p99 = percentiles((run.ms for run in runs), 50, 99)
        gap50, gap99 = percentiles((gap for run in runs for gap in run.gaps_ms), 50, 99)
        figures |= {
            f"{name}_p50_ms": figure(p50, "ms", len(runs)),
            f"{name}_p99_ms": figure(p99, "ms", len(runs)),
            f"{name}_gap_p50_ms": figure(gap50, "ms", len(runs)),
            f"{name}_gap_p99_ms": figure(gap99, "ms", len(runs)),
        }
    for name in found:
        if name == "floor":
            continue
        ratio = (figures[f"{name}_p50_ms"].value or 0) / (figures["floor_p50_ms"].value or 1)
        figures[f"{name}_over_floor"] = figure(ratio, "times", len(found[name]))
    return figures


async def at_once(
    runners: Sequence[Runner], size: int, cpu_groups: dict[str, set[int]], say: Say
) -> dict[str, Figure]:
    """Runs a second of a burst, and what a run cost.

    A small burst is repeated, the runners in turn, and the middle round counts.

    Args:
        runners: take turns.
        size: how many runs at once.
        cpu_groups: process groups whose processor time is told beside a runner's rate, by its name.
        say: takes a line of progress.
    """
    rounds = SMALL_ROUNDS if size <= SMALL_BURST else 1
    taken: dict[str, list[float]] = {runner.name: [] for runner in runners}
    cpu_s: dict[str, float] = {}
    for index in range(rounds):
        say(f"{size:,} at once: round {index + 1} of {rounds}")
        for runner in runners:
            groups = cpu_groups.get(runner.name, set())
            before = group_cpu_s(groups)
            taken[runner.name].append(await runner.burst(size))
            cpu_s[runner.name] = cpu_s.get(runner.name, 0.0) + group_cpu_s(groups) - before
    end = "" if size <= SMALL_BURST else f"_{short(size)}"
    rates = {name: size / sorted(each)[len(each) // 2] for name, each in taken.items()}
    figures = {}
    for name, rate in rates.items():
        figures[f"{name}_runs_per_s{end}"] = figure(rate, "runs/s", size * rounds)
        if name != "floor":
            over = "burst" if name == "engine" else f"{name}_burst"
            ratio = figure(rate / rates["floor"], "times", size * rounds)
            figures[f"{over}_over_floor{end}"] = ratio
        if name in cpu_groups:
            each_ms = cpu_s[name] * 1000 / size / rounds
            figures[f"{name}_cpu_ms_per_run{end}"] = figure(each_ms, "ms", size * rounds)
    return figures
