"""A sweep as its file describes it, checked as a whole before anything runs."""

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from evals.filters import Filter
from evals.sweep.chosen import Chosen, check_named_once, choose
from evals.sweep.tasks import TASKS, Source, Task
from harness.errors import HarnessError


class _File(BaseModel):
    """The file's own form; `settings`, `grid` and `runs` are checked by what they name."""

    model_config = ConfigDict(extra="forbid")

    task: str
    name: str | None = None
    dataset: str | None = None
    data_dir: Path | None = None
    split: Literal["tune", "test", "all"] = "tune"
    limit: PositiveInt | None = None
    filters: list[str] = []
    repeat: PositiveInt = 1
    per_tool: Annotated[int, Field(ge=0)] | None = None
    answer_cache: bool | None = None
    metric: str | None = None
    settings: dict[str, Any] = {}
    grid: dict[str, list[Any]] | None = None
    runs: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Sweep:
    """A sweep that can be run.

    Attributes:
        name: of the whole.
        task_name: such as `tools`.
        metric: what runs are ranked by.
        answer_cache: whether models' answers to the same request are taken from earlier runs.
        varied: the names that runs differ in.
        runs: in the file's order; the first is what the others are held against.
    """

    name: str
    task_name: str
    metric: str
    source: Source
    limit: int | None
    filters: tuple[Filter, ...]
    repeat: int
    answer_cache: bool
    varied: tuple[str, ...]
    runs: tuple[Chosen, ...]

    @property
    def task(self) -> Task:
        """What is swept."""
        return TASKS[self.task_name]


def read_sweep(path: Path) -> Sweep:
    """Read and check a file; see `evals/sweep/README.md` for its form.

    Raises:
        HarnessError: it can not be read, or something in it can not be run.
    """
    try:
        given = _File.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise HarnessError(f"the sweep {path} can not be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HarnessError(f"the sweep {path} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise HarnessError(f"the sweep {path}: {place}: {first['msg']}") from None
    try:
        return _checked(given, path)
    except HarnessError as error:
        raise HarnessError(f"the sweep {path}: {error}") from None


def _checked(given: _File, path: Path) -> Sweep:
    if given.task not in TASKS:
        raise HarnessError(f"task is {given.task!r}, which can not be swept", _one_of(TASKS))
    task = TASKS[given.task]
    metric = given.metric or task.metrics[0]
    if metric not in task.metrics:
        raise HarnessError(
            f"metric is {metric!r}, which no sample of {given.task} has", _one_of(task.metrics)
        )
    if given.per_tool is not None and given.task != "tools":
        raise HarnessError(f"per_tool is of the task tools, not of {given.task}")
    if given.answer_cache is not None and not task.own_stack:
        raise HarnessError(f"answer_cache is of tasks that ask a model, not of {given.task}")
    varied, runs = _runs(given, task, path.parent)
    if given.split != "test" and any(run.options.get("exemplars") for run in runs):
        raise HarnessError(
            f"exemplars are taken from the split tune, and split is {given.split!r}",
            'Write split = "test".',
        )
    return Sweep(
        name=given.name or path.stem,
        task_name=given.task,
        metric=metric,
        source=Source(
            given.dataset or task.dataset,
            None if given.data_dir is None else path.parent / given.data_dir.expanduser(),
            given.split,
            given.per_tool,
        ),
        limit=given.limit,
        filters=tuple(Filter.parse(text) for text in given.filters),
        repeat=given.repeat,
        answer_cache=task.own_stack and given.answer_cache is not False,
        varied=varied,
        runs=runs,
    )


def _runs(given: _File, task: Task, folder: Path) -> tuple[tuple[str, ...], tuple[Chosen, ...]]:
    """The names that runs differ in, and the runs."""
    if (given.grid is None) == (given.runs is None):
        raise HarnessError("it needs either [grid] or [[runs]]")
    places = list(_grid(given.grid) if given.grid is not None else _list(given.runs or []))
    varied = tuple(dict.fromkeys(name for _, own, _ in places for name in own))
    runs = []
    fixed = choose(given.settings, task, "settings", folder, "")
    for where, own, name in places:
        found = choose(own, task, where, folder, name)
        runs.append(
            Chosen(
                name,
                found.given,
                fixed.settings | found.settings,
                fixed.options | found.options,
                fixed.environment | found.environment,
            )
        )
    check_named_once(given.settings)
    check_named_once(varied)
    for key, field in (("names", "name"), ("settings", "given")):
        counted = Counter(str(getattr(run, field)) for run in runs)
        text, times = counted.most_common(1)[0]
        if times > 1:
            raise HarnessError(f"{times} runs have the same {key}: {text}")
    return varied, tuple(runs)


_Place = tuple[str, dict[str, Any], str]  # where it stands, what it sets, its name


def _grid(grid: dict[str, list[Any]]) -> Iterator[_Place]:
    if not grid:
        raise HarnessError("[grid] is empty", "Name a setting with a list of its values.")
    for name, values in grid.items():
        if not values:
            raise HarnessError(f"grid.{name} is empty", "List the values to try.")
    for combination in product(*grid.values()):
        own = dict(zip(grid, combination, strict=True))
        yield "grid", own, ", ".join(f"{name}={value}" for name, value in own.items())


def _list(runs: list[dict[str, Any]]) -> Iterator[_Place]:
    if not runs:
        raise HarnessError("[[runs]] is empty", "List what each run sets.")
    for number, run in enumerate(runs, 1):
        own = {key: value for key, value in run.items() if key != "name"}
        name = ", ".join(f"{key}={value}" for key, value in own.items()) or "as it is"
        yield f"runs[{number}]", own, str(run.get("name", name))


def _one_of(names: Any) -> str:
    return f"Use {', '.join(names)}."
