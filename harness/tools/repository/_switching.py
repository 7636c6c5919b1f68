"""Bringing the workspace's files from one commit's to another's."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath

from dulwich.index import index_entry_from_stat
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob

from harness.tools._folder import Folder
from harness.tools.errors import ToolError
from harness.tools.repository._worktree import EXECUTABLE, FILE, Version, Versions, Worktree
from harness.tools.workspace import is_git


def switch_files(
    objects: DiskObjectStore, worktree: Worktree, before: Versions, after: Versions
) -> None:
    """Write, change and delete what differs between two commits, and tell the index.

    All is checked before anything is changed.

    Args:
        objects: where the contents are.
        worktree: of the commit before, without changes of its own.
        before: that commit's files.
        after: those to have.

    Raises:
        ToolError: it would overwrite something, or make what tools do not make.
    """
    gone = [path for path in before if path not in after]
    written = {path: new for path, new in after.items() if before.get(path) != new}
    changed = [*gone, *written]
    for path in changed:
        _require_ordinary(path, [v for v in (before.get(path), after.get(path)) if v])
    worktree.require_unfiltered(changed)
    for path in written:
        if path not in before:
            _require_free(worktree.folder, path, gone)
    contents = {path: _content(objects, path, version) for path, version in written.items()}
    for path in gone:
        _remove(worktree.folder, path)
        del worktree.index[os.fsencode(path)]
    for path, version in written.items():
        parts = PurePosixPath(path).parts
        worktree.folder.write(parts, contents[path], version.mode == EXECUTABLE)
        status = worktree.folder.status(parts)
        entry = index_entry_from_stat(status, version.id, version.mode)
        worktree.index[os.fsencode(path)] = entry
    worktree.save_index()


def _require_ordinary(path: str, versions: list[Version]) -> None:
    parts = path.split("/")
    if any(part in ("", ".", "..") or is_git(part) for part in parts):
        raise ToolError(f"the branch has a file at {path!r}, which is no place for one")
    if any(version.mode not in (FILE, EXECUTABLE) for version in versions):
        raise ToolError(
            f"{path!r} is a link or a submodule in one of the branches, which tools do not change; "
            "switch by hand"
        )


def _require_free(folder: Folder, path: str, gone: list[str]) -> None:
    for place in (path, *_parents(path)):
        try:
            status = folder.status(PurePosixPath(place).parts)
        except OSError:
            continue
        if place not in gone and (place == path or not stat.S_ISDIR(status.st_mode)):
            raise ToolError(f"{place!r} is in the way and not in git; move or delete it first")


def _content(objects: DiskObjectStore, path: str, version: Version) -> bytes:
    blob = objects[version.id]
    if not isinstance(blob, Blob):
        raise ToolError(f"the branch's {path!r} is no file's content; the repository is damaged")
    return blob.data


def _remove(folder: Folder, path: str) -> None:
    with suppress(OSError):  # gone, or a folder that still has something in it
        folder.remove(PurePosixPath(path).parts)
        for parent in _parents(path):
            folder.remove(PurePosixPath(parent).parts)


def _parents(path: str) -> Iterator[str]:
    return (str(parent) for parent in PurePosixPath(path).parents if parent.parts)
