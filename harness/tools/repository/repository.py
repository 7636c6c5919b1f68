"""The repository that a workspace is: its history, its changes, its branches."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from dulwich.errors import ChecksumMismatch, FileFormatException, NotGitRepository, NotTreeError
from dulwich.file import FileLocked
from dulwich.index import UnsupportedIndexFormat, commit_tree, index_entry_from_stat
from dulwich.object_store import DiskObjectStore, tree_lookup_path
from dulwich.objects import Blob, Commit, ObjectID
from dulwich.refs import DiskRefsContainer, Ref, check_ref_format
from dulwich.walk import Walker

from harness.tools.errors import ToolError
from harness.tools.repository._diff import described
from harness.tools.repository._layout import checked, require_nothing_under_way
from harness.tools.repository._switching import switch_files
from harness.tools.repository._worktree import (
    MAX_FILE_BYTES,
    MAX_FILES,
    Change,
    Version,
    Versions,
    Worktree,
)

MAX_WALKED = 5000  # commits that are looked at for one log
SHORT_ID = 8
HEAD = Ref(b"HEAD")
BRANCHES = b"refs/heads/"
_AUTHOR = re.compile(r"[^<>\n\0]+ <[^<>\s\0]+>")
_DAMAGE = (
    KeyError, ValueError, ChecksumMismatch, FileFormatException, NotGitRepository,
    UnsupportedIndexFormat, AssertionError,
)  # fmt: skip


class Repository:
    """Git on a workspace.

    Args:
        root: the workspace, which must be the repository's own folder.

    Raises:
        ToolError: as every method does, when it is none or not one to be used.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._layout = checked(root)
        self._objects = DiskObjectStore(
            self._layout.git / "objects", loose_object_size_limit=4 * MAX_FILE_BYTES
        )
        self._refs = DiskRefsContainer(self._layout.git)

    def close(self) -> None:
        """Close the packs."""
        self._objects.close()

    def branch(self) -> str | None:
        """The current branch; None when HEAD is on none."""
        content = self._refs.read_ref(HEAD) or b""
        if not content.startswith(b"ref: "):
            return None
        ref = content.removeprefix(b"ref: ").strip()
        if not ref.startswith(BRANCHES) or not check_ref_format(Ref(ref.removeprefix(b"refs/"))):
            raise ToolError("the repository's HEAD names no branch; switch to one by hand")
        return ref.removeprefix(BRANCHES).decode("utf-8", "replace")

    def branches(self) -> list[str]:
        """Every branch's name, sorted."""
        names = self._refs.keys(base=Ref(BRANCHES))
        return sorted(name.decode("utf-8", "replace") for name in names)

    def log(self, most: int, path: str = "") -> list[str]:
        """The newest commits of the current branch: id, date, author, first line.

        Args:
            most: how many.
            path: only those that changed this file or folder.
        """
        with _readable():
            tip = self._tip()
            if tip is None:
                return []
            ends = self._ends()

            def parents(commit: Commit) -> list[ObjectID]:
                return [] if commit.id in ends else commit.parents

            walker = Walker(self._objects, [tip], max_entries=MAX_WALKED, get_parents=parents)
            commits = (entry.commit for entry in walker)
            found = (c for c in commits if not path or self._touches(c, parents(c), path))
            return [_line(commit) for commit in islice(found, most)]

    def diff(self, path: str = "") -> str:
        """How the workspace's files differ from the last commit, staged or not.

        Args:
            path: only of this file or folder.
        """
        with _readable():
            worktree = self._worktree()
            changes = [
                change
                for change in worktree.changes()
                if not path or change.path == path or change.path.startswith(f"{path}/")
            ]
            return described(changes, self._old, worktree.content)

    def commit(self, message: str, author: str) -> str:
        """Commit every change of the workspace that is not ignored.

        Args:
            message: what the commit says.
            author: as `Name <address>`.

        Returns:
            The commit's short id.
        """
        if not _AUTHOR.fullmatch(author):
            raise ToolError(f"HARNESS_GIT_AUTHOR is {author!r}; write it as 'Name <address>'")
        with _readable():
            branch = self._writable_branch()
            tip, head = self._tip(), self._head()
            worktree = self._worktree()
            changes = worktree.changes()
            if not changes:
                raise ToolError("there is nothing to commit: no file differs from the last commit")
            worktree.require_unfiltered(change.path for change in changes if change.after)
            tree = self._keep(worktree, {**head}, changes)
            worktree.save_index()
            made = _commit(tree, [tip] if tip else [], message, author)
            self._objects.add_object(made)
            if not self._move(branch, tip, made.id):
                raise ToolError(f"the branch {branch!r} moved meanwhile; look at its log first")
            return made.id[:SHORT_ID].decode()

    def switch(self, name: str) -> bool:
        """Switch to a branch; one that does not exist yet is made where HEAD is.

        Args:
            name: the branch's.

        Returns:
            Whether it was made.
        """
        ref = _branch_ref(name)
        with _readable():
            require_nothing_under_way(self._layout.git)
            target, tip = self._refs.read_ref(ref), self._tip()
            if target is None:
                if tip is not None and not self._refs.add_if_new(ref, tip):
                    raise ToolError(f"the branch {name!r} cannot be made; choose another name")
                self._refs.set_symbolic_ref(HEAD, ref)
                return True
            if name != self.branch():
                self._bring(self._commit(ObjectID(target)))
                self._refs.set_symbolic_ref(HEAD, ref)
            return False

    def _bring(self, target: Commit) -> None:
        worktree = self._worktree()
        changed = [change.path for change in worktree.changes() if change.tracked]
        if changed:
            shown = ", ".join(changed[:10])
            raise ToolError(f"there are changes that are not committed: {shown}; commit them first")
        switch_files(self._objects, worktree, self._head(), self._files(target.tree))

    def _keep(self, worktree: Worktree, files: dict[str, Version], changes: list[Change]) -> Any:
        """Keep what changed: contents, index entries, and the tree of everything."""
        for path, entry in worktree.index.items():  # submodules go by what is staged
            if entry.mode == 0o160000:  # type: ignore[union-attr]  # there are no conflicts here
                files[os.fsdecode(path)] = Version(entry.mode, entry.sha)  # type: ignore[union-attr]
        for change in changes:
            name = os.fsencode(change.path)
            if change.after is None:
                files.pop(change.path, None)
                if name in worktree.index:
                    del worktree.index[name]
                continue
            blob = Blob.from_string(worktree.content(change.path))
            self._objects.add_object(blob)
            files[change.path] = Version(change.after.mode, blob.id)
            status = worktree.entries[change.path].status
            worktree.index[name] = index_entry_from_stat(status, blob.id, change.after.mode)
        listed = ((os.fsencode(path), each.id, each.mode) for path, each in files.items())
        return commit_tree(self._objects, listed)

    def _writable_branch(self) -> str:
        require_nothing_under_way(self._layout.git)
        branch = self.branch()
        if branch is None:
            raise ToolError("HEAD is on no branch; switch to one first")
        if (self._refs.read_ref(_branch_ref(branch)) or b"").startswith(b"ref: "):
            raise ToolError(f"the branch {branch!r} stands for another one; commit by hand")
        return branch

    def _move(self, branch: str, old: ObjectID | None, new: ObjectID) -> bool:
        ref = _branch_ref(branch)
        if old is None:
            return self._refs.add_if_new(ref, new)
        return self._refs.set_if_equals(ref, old, new)

    def _tip(self) -> ObjectID | None:
        return self._refs.follow(HEAD)[1]

    def _head(self) -> Versions:
        tip = self._tip()
        return self._files(self._commit(tip).tree) if tip else {}

    def _worktree(self) -> Worktree:
        return Worktree(self._root, self._layout, self._head())

    def _commit(self, name: ObjectID) -> Commit:
        found = self._objects[name]
        if not isinstance(found, Commit):
            raise ValueError(f"{name!r} is no commit")
        return found

    def _files(self, tree: ObjectID) -> Versions:
        files = {}
        for entry in self._objects.iter_tree_contents(tree):
            assert entry.path is not None
            assert entry.mode is not None
            assert entry.sha is not None
            files[os.fsdecode(entry.path)] = Version(entry.mode, entry.sha)
            if len(files) > MAX_FILES:
                raise ToolError(f"the repository has more than {MAX_FILES} files")
        return files

    def _old(self, version: Version) -> bytes:
        return self._objects[version.id].as_raw_string()

    def _ends(self) -> set[bytes]:
        """The commits whose parents a shallow clone left behind."""
        shallow = self._layout.git / "shallow"
        return set(shallow.read_bytes().split()) if shallow.is_file() else set()

    def _touches(self, commit: Commit, parents: list[ObjectID], path: str) -> bool:
        """Whether a path is another one in a commit than in each of its parents."""
        now = self._at(commit, path)
        if not parents:
            return now is not None
        return all(self._at(self._commit(parent), path) != now for parent in parents)

    def _at(self, commit: Commit, path: str) -> tuple[int, ObjectID] | None:
        try:
            return tree_lookup_path(self._objects.__getitem__, commit.tree, os.fsencode(path))
        except (KeyError, NotTreeError):
            return None


@contextmanager
def _readable() -> Iterator[None]:
    """Tell a model what is wrong with a repository."""
    try:
        yield
    except FileLocked:
        raise ToolError("another program is using the repository; try again later") from None
    except _DAMAGE as error:
        raise ToolError(f"the repository cannot be read: {type(error).__name__}") from error
    except OSError as error:
        raise ToolError(f"the repository cannot be used: {error.strerror}") from None


def _branch_ref(name: str) -> Ref:
    short = Ref(b"heads/" + name.encode("utf-8", "replace"))
    if name.startswith("-") or name == "HEAD" or not check_ref_format(short):
        raise ToolError(f"{name!r} is no name for a branch; use one as 'fix-login'")
    return Ref(b"refs/" + short)


def _commit(tree: ObjectID, parents: list[ObjectID], message: str, author: str) -> Commit:
    commit = Commit()
    commit.tree = tree
    commit.parents = parents
    commit.author = commit.committer = author.encode()
    commit.author_time = commit.commit_time = int(time.time())
    commit.author_timezone = commit.commit_timezone = 0
    commit.encoding = b"UTF-8"
    commit.message = message.replace("\0", "").strip().encode("utf-8", "replace") + b"\n"
    return commit


def _line(commit: Commit) -> str:
    subject = (commit.message.decode("utf-8", "replace").strip().splitlines() or [""])[0]
    author = commit.author.decode("utf-8", "replace").split(" <")[0]
    day = datetime.fromtimestamp(commit.commit_time, UTC)
    return f"{commit.id[:SHORT_ID].decode()} {day:%Y-%m-%d %H:%M} {author}: {subject}"
