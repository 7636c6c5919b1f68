"""What a run of a sweep sets: settings of the product by name, and options of its task."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from evals.identity import PLACES
from evals.sweep.tasks import Task
from harness.errors import HarnessError
from harness.local.environment import settings_from
from harness.settings import Settings

# The processes beside the measuring one read these, and all runs of a sweep share those processes.
_OF_ENGINES = {"sqlite_synchronous", "inngest_backoff_ms"}
_MORE = "`harness/settings.py` lists the settings."


@dataclass(frozen=True)
class Chosen:
    """What one run sets.

    Attributes:
        name: how tables call it.
        given: by name, as the file has it.
        settings: values of the product's settings, checked.
        options: values of the task's options.
    """

    name: str
    given: dict[str, Any]
    settings: dict[str, Any]
    options: dict[str, int]


def choose(given: Mapping[str, Any], task: Task, where: str, folder: Path, name: str) -> Chosen:
    """Check what one run sets.

    Args:
        given: values by a setting's name, as in `harness/settings.py` or as a variable, or by the
            name of one of the task's options.
        task: what is swept.
        where: the part of the file that is read, for the error.
        folder: what paths are relative to.
        name: how tables call the run.

    Raises:
        HarnessError: a name is unknown or may not be set, or a value is none of its.
    """
    settings: dict[str, Any] = {}
    options: dict[str, int] = {}
    for key, value in given.items():
        if key in task.options:
            options[key] = _count(value, f"{where}.{key}")
        else:
            field = _field(key, task, where)
            settings[field] = _value(field, value, f"{where}.{key}", folder)
    return Chosen(name, dict(given), settings, options)


def _count(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise HarnessError(f"{place} is {value!r}, not a number from 0 on")
    return value


def _field(key: str, task: Task, where: str) -> str:
    """The name of the setting that is meant."""
    fields = Settings.model_fields
    names = {variable_of(name): name for name in fields}
    field = names.get(key, key)
    if field not in fields:
        options = f" and the task's {', '.join(sorted(task.options))}" if task.options else ""
        raise HarnessError(f"{where}.{key}: there is no such setting", f"{_MORE[:-1]}{options}.")
    if field in task.fixed:
        raise HarnessError(f"{where}.{key} can not be swept: {task.fixed[field]}")
    if field in PLACES or "SecretStr" in str(fields[field].annotation):
        raise HarnessError(
            f"{where}.{key} can not be swept: it says where something is, or who may ask",
            f"Set {variable_of(field)} for the whole sweep.",
        )
    if field in _OF_ENGINES:
        raise HarnessError(
            f"{where}.{key} can not be swept: the engines read it, which all runs share",
            f"Set {variable_of(field)} for the whole sweep.",
        )
    return field


def variable_of(field: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"HARNESS_{field.upper()}"


def _value(field: str, value: Any, place: str, folder: Path) -> Any:
    """What the setting is when its variable holds the value."""
    text = value if isinstance(value, str) else json.dumps(value)
    try:
        found = getattr(settings_from({variable_of(field): text}), field)
    except ValidationError as error:
        first = error.errors()[0]
        is_plain = not isinstance(first["input"], dict | list)  # others may hold secrets
        shown = f"{place} is {value!r}" if is_plain else place
        raise HarnessError(f"{shown}: {first['msg']}") from None
    except SettingsError:
        raise HarnessError(f"{place} is not of the setting's kind", _MORE) from None
    if isinstance(found, Path):
        found = folder / found
        if not found.exists():
            raise HarnessError(f"{place}: there is no {found}", "Paths begin at the file's folder.")
    return found
