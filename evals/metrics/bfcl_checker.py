"""The official AST checker of the Berkeley Function Calling Leaderboard.

It compares calls with the accepted values of each argument: strings without regard to case, spaces
and punctuation, numbers and types exactly. It is that of the package `bfcl-eval`, unmodified.

Source: Patil et al., The Berkeley Function Calling Leaderboard, ICML 2025.
"""

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

from evals.datasets.records import CallCase
from harness.errors import HarnessError

Call = dict[str, dict[str, Any]]  # one function's name and its arguments

_PACKAGE = "bfcl_eval"
# What the checker asks of it is which models can not say a dot; importing it would import the
# client of every provider there is.
_MODEL_CONFIG = f"{_PACKAGE}.constants.model_config"
_MODEL = "any"
_TYPES = {"object": "dict", "number": "float"}  # the checker's words for JSON Schema's


def official_checker() -> ModuleType:
    """The checker's module.

    Raises:
        HarnessError: the package is not installed.
    """
    stub = ModuleType(_MODEL_CONFIG)
    plain = SimpleNamespace(underscore_to_dot=False)
    vars(stub)["MODEL_CONFIG_MAPPING"] = defaultdict(lambda: plain)
    sys.modules.setdefault(_MODEL_CONFIG, stub)
    try:
        from bfcl_eval.eval_checker.ast_eval import ast_checker
    except ModuleNotFoundError as error:
        raise HarnessError(
            "calls are checked by the package bfcl-eval, which is not installed",
            "Run `make setup`, which installs it.",
        ) from error
    module: ModuleType = ast_checker
    return module


def ast_problem(case: CallCase, calls: Sequence[Call]) -> str | None:
    """What the checker finds wrong with calls, None when they are right; order does not count.

    Args:
        case: with a truth.
        calls: by the set's own names of the functions.
    """
    kind = "simple"
    if len(case.truth) > 1:
        kind = "parallel"
    elif len(case.functions) > 1:
        kind = "multiple"
    functions = [as_bfcl(each) for each in case.functions]
    return _found("ast_checker", functions, calls, case.truth, language_of(case), kind)


def order_problem(case: CallCase, calls: Sequence[Call]) -> str | None:
    """What is wrong with calls that are to be made in the order of the truth; None for nothing."""
    if len(calls) != len(case.truth):
        return f"{len(calls)} calls, not {len(case.truth)}"
    described = {each["name"]: as_bfcl(each) for each in case.functions}
    for number, (call, wanted) in enumerate(zip(calls, case.truth, strict=True), 1):
        function = described[next(iter(wanted))]
        problem = _found("simple_function_checker", function, call, wanted, language_of(case))
        if problem is not None:
            return f"call {number}: {problem}"
    return None


def language_of(case: CallCase) -> str:
    """The language whose literals a case's arguments are, by its category; most are Python's."""
    for language in ("javascript", "java"):
        if language in case.category:
            return language
    return "python"


def as_bfcl(node: Any) -> Any:
    """A function's description with its types in the checker's words."""
    if isinstance(node, list):
        return [as_bfcl(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    return {key: _as_bfcl_field(key, value) for key, value in node.items()}


def _as_bfcl_field(key: str, value: Any) -> Any:
    return _TYPES.get(value, value) if key == "type" and isinstance(value, str) else as_bfcl(value)


def _found(
    check: str, functions: Any, calls: Any, truth: Any, language: str, *kind: str
) -> str | None:
    module = official_checker()
    given = list(calls) if isinstance(calls, Sequence) else calls
    wanted = list(truth) if isinstance(truth, Sequence) else truth
    spoken = module.Language(language)
    try:
        result = getattr(module, check)(functions, given, wanted, spoken, *kind, _MODEL)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # It does not expect every shape that a model's arguments can have.
        return f"the checker can not read it: {error!r}"
    return None if result["valid"] else f"{result['error_type']}: {_first(result['error'])}"


def _first(errors: list[Any]) -> str:
    """The reason; of parallel calls, the first pairing that failed."""
    for error in errors[1:]:
        for tried in error.values() if isinstance(error, Mapping) else ():
            return str(tried["sub_error"][0])
    return str(errors[0]) if errors else "no reason given"
