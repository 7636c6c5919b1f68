"""Writing a set's folder: whole or not at all."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from evals.datasets.kinds import KINDS
from evals.datasets.loader import PUBLIC
from evals.datasets.records import DatasetError
from evals.datasets.tables import FORMATS

DATASHEET = "DATASHEET.md"
TODO = ".todo.jsonl"  # what is to be labelled, beside the part that it is for
_NAME = re.compile(r"\w[\w.-]*")
_PARTS = [part for kind in KINDS.values() for part in kind.parts]
_OURS = {DATASHEET} | {f"{p}.{f}" for p in _PARTS for f in FORMATS} | {p + TODO for p in _PARTS}


@contextmanager
def new_folder(target: Path, force: bool) -> Iterator[Path]:
    """A folder to fill, which takes its place when all went well.

    Args:
        target: where it will be.
        force: replace a set that is there.

    Raises:
        DatasetError: something is there that is not to be replaced.
    """
    refuse_taken(target, force)
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as place:
        made = Path(place) / "new" / target.name
        made.mkdir(parents=True)
        yield made
        if target.exists():
            target.rename(Path(place) / "old")
        made.rename(target)


def refuse_name(name: str) -> None:
    """Refuse a name that is no plain one, or that a public set has.

    Raises:
        DatasetError: it is.
    """
    if not _NAME.fullmatch(name):
        raise DatasetError(f"{name!r} is no name for a set; use letters, digits, '-', '_' and '.'")
    if name in PUBLIC:
        raise DatasetError(f"{name!r} is the name of a public set; choose another one")


def refuse_taken(target: Path, force: bool) -> None:
    """Refuse a place that is taken; by anything but a set also where replacing is wanted.

    Raises:
        DatasetError: it is.
    """
    if not target.exists():
        return
    if not force:
        raise DatasetError(f"{target} is there already; --force replaces it")
    others = sorted({path.name for path in target.iterdir()} - _OURS) if target.is_dir() else ["."]
    if others:
        raise DatasetError(
            f"{target} holds {others[0]!r}, which is of no set; it is not replaced: choose another "
            "name, or remove it"
        )
