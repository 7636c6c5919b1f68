"""Scorers of `mlflow.genai`, by name, and the model that those which ask one may ask."""

import importlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.llm.models import OPENAI_URL
from harness.settings import Settings

if TYPE_CHECKING:
    from mlflow.genai.scorers import Scorer

_DEFAULT_MODEL = "MLFLOW_GENAI_JUDGE_DEFAULT_MODEL"
_KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_ORGANIZATION")
_NO_KEY = "none"  # MLflow insists on one
_HOW = (
    "Name one of mlflow.genai.scorers, such as RelevanceToQuery or "
    '\'Guidelines={"guidelines": "Be brief."}\', or your own as module:name.'
)


def load_scorers(names: Sequence[str], settings: Settings) -> "list[Scorer]":
    """The scorers of these names.

    Args:
        names: `NAME` of a built-in scorer or `MODULE:NAME`; `=JSON` behind it gives arguments.
        settings: name the model that judges.

    Raises:
        HarnessError: there is no such scorer, or it asks a model and none is named.
    """
    with judge_environment(settings):  # a scorer may choose its model when it is made
        scorers = [_load(name) for name in names]
    for name, scorer in zip(names, scorers, strict=True):
        model = getattr(scorer, "model", "") or ""
        if hasattr(scorer, "model") and settings.judge is None and _is_openai(model):
            raise HarnessError(
                f"--scorer {name!r} asks a model, and none is named to judge",
                "Name it in HARNESS_JUDGE, and its server in HARNESS_JUDGE_BASE_URL.",
            )
    twice = {scorer.name for scorer in scorers if [s.name for s in scorers].count(scorer.name) > 1}
    if twice:
        raise HarnessError(
            f"two scorers are called {sorted(twice)[0]!r}", "Give one of them another name."
        )
    return scorers


@contextmanager
def judge_environment(settings: Settings) -> Iterator[None]:
    """MLflow's variables for the judge, and no key of OpenAI's that merely stands there.

    Args:
        settings: name the judge; its address and key are its own or, without either, the chat
            model's.
    """
    before = {name: os.environ.pop(name, None) for name in (*_KEYS, _DEFAULT_MODEL)}
    if settings.judge is not None:
        base_url, key = settings.judge_base_url, settings.judge_api_key
        if base_url is None and key is None:
            base_url, key = settings.openai_base_url, settings.openai_api_key
        os.environ[_DEFAULT_MODEL] = f"openai:/{settings.judge}"
        os.environ["OPENAI_API_KEY"] = key.get_secret_value() if key else _NO_KEY
        os.environ["OPENAI_API_BASE"] = base_url or OPENAI_URL
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _load(text: str) -> "Scorer":
    from mlflow.genai.scorers import Scorer

    name, _, arguments = text.partition("=")
    found = _own(name, text) if ":" in name else _built_in(name)
    if isinstance(found, Scorer) and not arguments:
        return found
    if not (isinstance(found, type) and issubclass(found, Scorer)):
        raise HarnessError(f"--scorer {text!r} is no scorer of MLflow", _HOW)
    try:
        return found(**_arguments(arguments))
    except HarnessError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise HarnessError(f"--scorer {text!r}: {reason}", _HOW) from error


def _built_in(name: str) -> Any:
    from mlflow.genai import scorers

    known = {
        each: found
        for each in dir(scorers)
        if isinstance(found := getattr(scorers, each), type)
        and issubclass(found, scorers.Scorer)
        and found is not scorers.Scorer
    }
    if name not in known:
        raise HarnessError(
            f"--scorer {name!r} is none of MLflow's", f"They are {', '.join(sorted(known))}."
        )
    return known[name]


def _own(name: str, text: str) -> Any:
    module, _, attribute = name.partition(":")
    sys.path.insert(0, "")  # where the command is run, as for any script there
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise HarnessError(f"--scorer {text!r}: {reason}", _HOW) from error
    finally:
        sys.path.remove("")


def _arguments(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise HarnessError(f"the arguments {text!r} of a scorer are no JSON object", _HOW)
    return given


def _is_openai(model: str) -> bool:
    return not model or model.startswith("openai:")
