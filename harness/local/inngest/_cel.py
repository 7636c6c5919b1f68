"""The CEL library's compiled half.

Its package also imports a command line with all that draws on, which would be half of the
engine's start-up time, so the extension module is loaded alone.
"""

import importlib.machinery
import importlib.util
from pathlib import Path
from typing import Any


def _load() -> Any:
    package = importlib.util.find_spec("cel")
    if package is None or package.origin is None:
        raise ImportError("common-expression-language is not installed")
    finder = importlib.machinery.FileFinder(
        str(Path(package.origin).parent),
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
    )
    found = finder.find_spec("cel")
    if found is None or found.loader is None:
        raise ImportError("common-expression-language has no extension module")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


compile_program = _load().compile
