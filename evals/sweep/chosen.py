"""What a run of a sweep sets: settings of the product by name, and options of its task."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from evals.identity import PLACES
from evals.sweep.options import Option
from evals.sweep.tasks import Task
from harness.errors import HarnessError
from harness.local.environment import settings_from
from harness.settings import Settings

# Read by processes beside the measuring one, which runs share unless each has its own stack.
_OF_ENGINES = {"sqlite_synchronous", "inngest_backoff_ms", "inngest_retention_hours"}
_WITH_SECRETS = {"mcp_servers"}
_MORE = "`harness/settings.py` lists the settings."


@dataclass(frozen=True)
class Chosen:
    """What one run sets.

    Attributes:
        name: how tables call it.
        given: by name, as the file has it.
        settings: values of the product's settings, checked.
        options: values of the task's options.
        environment: the settings as variables, for processes of the run's own.
    """

    name: str
    given: dict[str, Any]
    settings: dict[str, Any]
    options: dict[str, Option]
    environment: dict[str, str]


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
    options: dict[str, Option] = {}
    environment: dict[str, str] = {}
    for key, value in given.items():
        place = f"{where}.{key}"
        if key in task.options:
            options[key] = task.options[key](value, place)
            continue
        field = _field(key, task, where)
        text = value if isinstance(value, str) else json.dumps(value)
        settings[field] = found = _value(field, text, value, place, folder)
        # A process of the run's own has another folder than the file's.
        environment[variable_of(field)] = str(found) if isinstance(found, Path) else text
    return Chosen(name, dict(given), settings, options, environment)


def check_named_once(names: Iterable[str]) -> None:
    """Refuse to call one setting by its own name and by its variable's too.

    Args:
        names: as the file has them.

    Raises:
        HarnessError: two of them mean the same setting.
    """
    called: dict[str, str] = {}
    for name in names:
        other = called.setdefault(_field_named(name), name)
        if other != name:
            raise HarnessError(f"{other} and {name} are the same setting", "Name it one way.")


def _field_named(key: str) -> str:
    return {variable_of(name): name for name in Settings.model_fields}.get(key, key)


def _field(key: str, task: Task, where: str) -> str:
    """The name of the setting that is meant."""
    fields = Settings.model_fields
    field = _field_named(key)
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
    if field in _WITH_SECRETS:
        raise HarnessError(
            f"{where}.{key} can not be swept: it may hold secrets, and what runs set is kept",
            f"Set {variable_of(field)} for the whole sweep.",
        )
    if task.read is not None and field not in task.read:
        raise HarnessError(
            f"{where}.{key} can not be swept: no figure of this task depends on it",
            f"Use {', '.join(sorted({*task.read, *task.options}))}.",
        )
    if field in _OF_ENGINES and not task.own_stack:
        raise HarnessError(
            f"{where}.{key} can not be swept: the engines read it, which all runs share",
            f"Set {variable_of(field)} for the whole sweep.",
        )
    return field


def variable_of(field: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"HARNESS_{field.upper()}"


def _value(field: str, text: str, value: Any, place: str, folder: Path) -> Any:
    """What the setting is when its variable holds the text; the file has it as `value`."""
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
        found = (folder / found).resolve()
        if not found.exists():
            raise HarnessError(f"{place}: there is no {found}", "Paths begin at the file's folder.")
    return found
