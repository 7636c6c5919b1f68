"""What sets there are, and what is in each."""

from collections import Counter
from pathlib import Path

from pydantic import BaseModel

from evals.datasets.datasheet import licence_of
from evals.datasets.folder import DATASHEET
from evals.datasets.kinds import KINDS, AnySet, kind_of
from evals.datasets.loader import OWN, PUBLIC
from evals.datasets.records import DatasetError


class Listed(BaseModel):
    """A set of one kind; what is not there has no counts.

    Attributes:
        samples: how many each split has.
        folder: where it is.
        remedy: where its files go when it is not there, or what is wrong with them.
    """

    name: str
    kind: str
    what: str
    licence: str
    samples: dict[str, int] = {}
    sha256: str | None = None
    folder: Path | None = None
    remedy: str | None = None


def list_sets(data_dir: Path | None) -> list[Listed]:
    """Every set: the project's own, those below a folder, and the public ones.

    Args:
        data_dir: holds one folder for each dataset.
    """
    places = [place for place in (data_dir, OWN) if place is not None and place.is_dir()]
    folders = {
        folder.name: folder
        for place in reversed(places)
        for folder in sorted(place.iterdir())
        if folder.name not in PUBLIC and any(kind.is_in(folder) for kind in KINDS.values())
    }
    found = [each for folder in folders.values() for each in _in_own_format(folder)]
    return found + [_public(name, data_dir) for name in PUBLIC]


def whole_sets(name: str, data_dir: Path | None) -> list[AnySet]:
    """All that a name stands for, whatever the split: one set, or one of each kind in its folder.

    Raises:
        DatasetError: there is none, or it is malformed.
    """
    folder = folder_of(name, data_dir)
    if name in PUBLIC:
        return [PUBLIC[name].read(folder)]
    return [kind.read(folder) for kind in KINDS.values() if kind.is_in(folder)]


def folder_of(name: str, data_dir: Path | None) -> Path:
    """Where a set is.

    Raises:
        DatasetError: it is nowhere.
    """
    if name in PUBLIC:
        return PUBLIC[name].require(name, data_dir)
    places = [place / name for place in (data_dir, OWN) if place is not None and name]
    for place in places:
        if any(kind.is_in(place) for kind in KINDS.values()):
            return place
    there = ", ".join(dict.fromkeys(each.name for each in list_sets(data_dir)))
    looked = " or ".join(str(place.parent) for place in places)
    raise DatasetError(f"dataset {name!r} not found in {looked}; there are: {there}")


def _in_own_format(folder: Path) -> list[Listed]:
    own = folder.parent == OWN
    licence = licence_of(folder / DATASHEET)
    what = "the project's own" if own else "a set of yours"
    found = []
    for kind in KINDS.values():
        if kind.is_in(folder):
            listed = Listed(
                name=folder.name, kind=kind.name, what=what, licence=licence, folder=folder
            )
            try:
                found.append(_counted(listed, kind.read(folder)))
            except DatasetError as error:
                found.append(listed.model_copy(update={"remedy": str(error)}))
    return found


def _public(name: str, data_dir: Path | None) -> Listed:
    source = PUBLIC[name]
    kind = next(kind for kind in KINDS.values() if kind.set_type is source.kind)
    listed = Listed(name=name, kind=kind.name, what=source.what, licence=source.licence)
    try:
        folder = source.require(name, data_dir)
        return _counted(listed.model_copy(update={"folder": folder}), source.read(folder))
    except DatasetError as error:
        return listed.model_copy(update={"remedy": str(error)})


def _counted(listed: Listed, data: AnySet) -> Listed:
    kind = kind_of(data)
    samples = kind.parts_of(data)[kind.samples]
    counted = Counter(sample.split for sample in samples)
    return listed.model_copy(
        update={"samples": dict(sorted(counted.items())), "sha256": data.info.sha256}
    )
