"""The files of a workspace as git sees them: bytes as they are, links as what they say."""

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dulwich.index import ConflictedIndexEntry, Index, IndexEntry
from dulwich.objects import Blob, ObjectID

from harness.tools._folder import Entry, Folder, is_part
from harness.tools._ignored import TreePatterns
from harness.tools.errors import ToolError
from harness.tools.repository._layout import Layout
from harness.tools.workspace import is_git

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_FILES = 20_000
FILE, EXECUTABLE, LINK, SUBMODULE = 0o100644, 0o100755, 0o120000, 0o160000
UNREAD = ObjectID(b"0" * 40)  # the content of a file that git does not know
_ASSUME_UNCHANGED = 0x8000  # a flag of the index: its user says not to look


class Version(NamedTuple):
    """One state of a file: git's mode, and the id of its content."""

    mode: int
    id: ObjectID


Versions = Mapping[str, Version]


@dataclass(frozen=True)
class Change:
    """How a file of the workspace differs from the last commit.

    Attributes:
        path: from the workspace.
        before: as committed; None for a new file.
        after: as it is now; None for a deleted file.
        staged: whether the index has a part of the change.
        unstaged: whether the index lacks a part of it.
        tracked: whether git knew of the file at all.
    """

    path: str
    before: Version | None
    after: Version | None
    staged: bool
    unstaged: bool
    tracked: bool


class Worktree:
    """Compares the workspace with its repository's last commit.

    Args:
        root: the workspace.
        layout: of its repository.
        head: the files of the last commit.
    """

    def __init__(self, root: Path, layout: Layout, head: Versions) -> None:
        self.folder = Folder(root)
        self.index = Index(layout.git / "index")
        self.entries: dict[str, Entry] = {}
        self._layout = layout
        self._head = head
        self._staged = _staged(self.index)
        self._tracked = set(head) | set(self._staged)
        self._folders = {str(up) for path in self._tracked for up in PurePosixPath(path).parents}
        self._inside: set[str] = set()  # ignored folders with tracked files
        self._ignored = TreePatterns(self._ignore_lines)
        self._filtered = TreePatterns(self._filter_lines)
        try:
            self._index_time = (layout.git / "index").stat().st_mtime_ns
        except FileNotFoundError:
            self._index_time = 0

    def changes(self) -> list[Change]:
        """Every file that differs from the last commit, sorted by path."""
        self.entries = {entry.path: entry for entry in self._walk() if not entry.is_folder}
        found = []
        for path in sorted(self._tracked | set(self.entries)):
            before, after = self._head.get(path), self._now(path)
            if before != after and SUBMODULE not in (before and before.mode, after and after.mode):
                kept = self._staged.get(path)
                staged = kept and Version(kept.mode, kept.sha)
                found.append(
                    Change(
                        path,
                        before,
                        after,
                        staged != before,
                        staged != after,
                        path in self._tracked,
                    )
                )
        return found

    def content(self, path: str) -> bytes:
        """What git keeps of a file: its bytes, or what a link says.

        Raises:
            ToolError: it is too large, or gone.
        """
        parts = PurePosixPath(path).parts
        try:
            if stat.S_ISLNK(self.entries[path].status.st_mode):
                return self.folder.link_target(parts)
            return self.folder.read(parts, MAX_FILE_BYTES)
        except OSError as error:
            if error.errno == errno.EFBIG:
                raise ToolError(
                    f"{path!r} is larger than {MAX_FILE_BYTES // 1024**2} MiB; "
                    "name it in .gitignore, or commit it by hand"
                ) from None
            raise ToolError(f"{path!r} changed meanwhile; try again") from None

    def save_index(self) -> None:
        """Write the index, without what other programs noted in it about its older state."""
        fresh = Index(self.index.path, read=False)
        fresh.update(dict(self.index.items()))
        fresh.write()

    def require_unfiltered(self, paths: Iterable[str]) -> None:
        """Refuse files that a program of the repository's would have to translate.

        Raises:
            ToolError: one of the paths has a `filter` in .gitattributes.
        """
        for path in paths:
            if self._filtered.match(path):
                raise ToolError(
                    f"{path!r} has a filter in .gitattributes, a program that tools do not run; "
                    "do this by hand"
                )

    def _now(self, path: str) -> Version | None:
        entry, kept = self.entries.get(path), self._staged.get(path)
        if kept and (
            kept.mode == SUBMODULE or kept.skip_worktree or kept.flags & _ASSUME_UNCHANGED
        ):
            return Version(kept.mode, kept.sha)
        if entry is None:
            return None
        mode = _mode(entry.status.st_mode)
        if kept and not self._layout.file_mode and LINK not in (mode, kept.mode):
            mode = kept.mode
        if kept and mode == kept.mode and self._untouched(entry.status, kept):
            return Version(mode, kept.sha)
        content_id = Blob.from_string(self.content(path)).id if path in self._tracked else UNREAD
        return Version(mode, content_id)

    def _untouched(self, status: os.stat_result, kept: IndexEntry) -> bool:
        """Whether a file is the one that the index saw, as git tells without reading it."""
        time = kept.mtime
        seen = time[0] * 10**9 + time[1] if isinstance(time, tuple) else int(time * 10**9)
        same = status.st_mtime_ns == seen and status.st_ino & 0xFFFFFFFF == kept.ino
        # One written in the instant of the index may have changed since.
        return same and status.st_size & 0xFFFFFFFF == kept.size and seen < self._index_time

    def _walk(self) -> Iterable[Entry]:
        for number, entry in enumerate(self.folder.walk((), self._skip)):
            if number == MAX_FILES:
                raise ToolError(
                    f"the workspace has more than {MAX_FILES} files that are not ignored; "
                    "name what is no source in .gitignore"
                )
            if entry.is_folder or entry.is_file or stat.S_ISLNK(entry.status.st_mode):
                yield entry

    def _skip(self, path: str, is_folder: bool) -> bool:
        pure = PurePosixPath(path)
        if is_git(pure.name) or is_part(pure.name) or (is_folder and self._is_repository(path)):
            return True
        if str(pure.parent) not in self._inside and not self._ignored.match(path, is_folder):
            return False
        if is_folder and path in self._folders:
            self._inside.add(path)
            return False
        return path not in self._tracked

    def _is_repository(self, path: str) -> bool:
        try:
            self.folder.status((*PurePosixPath(path).parts, ".git"))
        except OSError:
            return False
        return True

    def _ignore_lines(self, folder: str) -> list[str]:
        return self._lines(folder, ".gitignore", "exclude")

    def _filter_lines(self, folder: str) -> list[str]:
        patterns = []
        for line in self._lines(folder, ".gitattributes", "attributes"):
            pattern, *attributes = line.split() or [""]
            if any(each.startswith("filter=") for each in attributes):
                patterns.append(pattern)
            elif {"-filter", "!filter"}.intersection(attributes):
                patterns.append(f"!{pattern}")
        return patterns

    def _lines(self, folder: str, name: str, info: str) -> list[str]:
        found: list[str] = []
        if not folder:
            own = self._layout.git / "info" / info
            found += own.read_text("utf-8", "replace").splitlines() if own.is_file() else []
        try:
            content = self.folder.read((*PurePosixPath(folder).parts, name), MAX_FILE_BYTES)
        except OSError:
            return found
        return [*found, *content.decode("utf-8", "replace").splitlines()]


def _staged(index: Index) -> dict[str, IndexEntry]:
    found = {}
    for path, entry in index.items():
        if isinstance(entry, ConflictedIndexEntry):
            raise ToolError(f"{os.fsdecode(path)!r} has conflicts; resolve them first")
        if entry.is_sparse_dir(path):
            raise ToolError("the workspace's repository has a sparse index, which is not supported")
        found[os.fsdecode(path)] = entry
    return found


def _mode(mode: int) -> int:
    if stat.S_ISLNK(mode):
        return LINK
    return EXECUTABLE if mode & 0o100 else FILE
