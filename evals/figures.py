"""The figures document: what a measuring command prints, and what `--json FILE` holds.

Every command that measures, the load scenarios too, builds one, so that a figure has the same name,
unit and interval wherever it shows.
"""

import math
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from harness.settings import Settings
from harness.telemetry.logs import redact

_PACKAGES = (
    "harness", "bfcl-eval", "chromadb", "convex", "inngest", "ir-measures", "locust", "mlflow",
    "numpy", "onnxruntime", "openai", "polars", "xllamacpp",
)  # fmt: skip
_ROOT = Path(__file__).parent.parent
OF_RUNS = frozenset({"seconds"})  # figures of a whole run; rows call another thing so


class _HasInterval(Protocol):
    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def n(self) -> int: ...


class Figure(BaseModel):
    """One figure: a value with its unit, a 95 % interval where there is one, and its count."""

    model_config = ConfigDict(frozen=True)

    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    n: int | None = None


class DatasetTag(BaseModel):
    """Which data a figure rests on."""

    model_config = ConfigDict(frozen=True)

    name: str
    sha256: str
    split: str


class Document(BaseModel):
    """Figures with all that is needed to read them a year later.

    `engines` says what stood behind each service, `simulated` whether a simulated language model
    answered: such figures are never counted as accuracy.
    """

    command: str
    figures: dict[str, Figure]
    settings: dict[str, Any]
    versions: dict[str, str]
    git: dict[str, Any]
    engines: dict[str, str] = {}
    simulated: bool = False
    dataset: DatasetTag | None = None


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def figure(value: float, unit: str, n: int | None = None) -> Figure:
    """A figure without an interval; a value that is not finite becomes null."""
    return Figure(value=_finite(value), unit=unit, n=n)


def interval_figure(interval: _HasInterval, unit: str) -> Figure:
    """A figure with the interval of `evals.statistics`."""
    return Figure(
        value=_finite(interval.value),
        unit=unit,
        low=_finite(interval.low),
        high=_finite(interval.high),
        n=interval.n,
    )


def build_document(
    command: str,
    figures: dict[str, Figure],
    settings: dict[str, Any],
    *,
    engines: dict[str, str] | None = None,
    simulated: bool = False,
    dataset: BaseModel | None = None,
) -> Document:
    """A document of these figures, with versions and git state added.

    Args:
        command: such as `eval retrieval`.
        figures: by their stable names.
        settings: what decided the figures; no secrets (`public_settings`).
        engines: what answered for each service, such as `{"convex": "local engine"}`.
        simulated: whether a simulated language model took part.
        dataset: anything with `name`, `sha256` and `split`.
    """
    return Document(
        command=command,
        figures=figures,
        settings=settings,
        versions=versions(),
        git=git_state(),
        engines=engines or {},
        simulated=simulated,
        dataset=None if dataset is None else DatasetTag(**dataset.model_dump()),
    )


def write_document(document: Document, path: Path) -> None:
    """Write the document as JSON, creating its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document.model_dump_json(indent=2) + "\n", "utf-8")


def print_figures(document: Document, console: Console, title: str | None = None) -> None:
    """Print the figures as a table, with what they were measured on below it."""
    table = Table(title=title or document.command, title_justify="left")
    table.add_column("figure")
    for heading in ("value", "95 % interval", "n"):
        table.add_column(heading, justify="right")
    for name, item in document.figures.items():
        table.add_row(name, shown(item), spread(item), "" if item.n is None else str(item.n))
    console.print(table)
    console.print(describe(document), style="dim")


def describe(document: Document) -> str:
    """One line: data, engines, model and revision behind the figures."""
    parts = []
    if document.dataset:
        data = document.dataset
        parts.append(f"data {data.name}/{data.split} {data.sha256[:12]}")
    parts.extend(f"{name}: {engine}" for name, engine in document.engines.items())
    if document.simulated:
        parts.append("SIMULATED language model: no figure here is accuracy")
    revision = document.git.get("revision")
    if revision:
        parts.append(f"revision {revision[:10]}{' + changes' if document.git.get('dirty') else ''}")
    return " · ".join(parts)


def shown(item: Figure) -> str:
    """A figure's value with its unit, as people read it."""
    return "–" if item.value is None else f"{_short(item.value)} {item.unit}".strip()


def spread(item: Figure) -> str:
    """A figure's interval, empty where there is none."""
    if item.low is None or item.high is None:
        return ""
    return f"{_short(item.low)} – {_short(item.high)}"


def _short(value: float) -> str:
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value)}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def versions() -> dict[str, str]:
    """Versions of the interpreter and of the packages that figures depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform(terse=True)}
    found["cpus"] = str(os.cpu_count())
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state(root: Path = _ROOT) -> dict[str, Any]:
    """Revision and whether files differ from it; nulls outside a checkout."""
    try:
        revision = _git(root, "rev-parse", "HEAD")
        dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return {"revision": None, "dirty": None}
    return {"revision": revision, "dirty": dirty}


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def public_settings(settings: Settings) -> dict[str, Any]:
    """All settings but the secrets, as JSON values; of a URL, not who it signs in as."""
    return {
        name: redact(_plain(getattr(settings, name)))
        for name, field in type(settings).model_fields.items()
        if "SecretStr" not in str(field.annotation)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value)
