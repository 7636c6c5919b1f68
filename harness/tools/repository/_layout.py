"""What a repository must look like before anything in it is believed.

Git lets a repository point elsewhere and name programs to run. Of its configuration, only what is
read here is read at all, and what leads out of the workspace is refused.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from dulwich.config import ConfigFile

from harness.tools.errors import ToolError

GIT = ".git"
HOOKS = "hooks"
_ELSEWHERE = ("commondir", "objects/info/alternates", "objects/info/http-alternates")
_UNDER_WAY = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}
_EXTENSIONS = frozenset({b"noop", b"partialclone", b"preciousobjects", b"worktreeconfig"})
_SHA1 = {b"objectformat": b"sha1", b"refstorage": b"files"}


@dataclass(frozen=True)
class Layout:
    """A repository's folder, and what of its configuration counts.

    Attributes:
        git: the folder `.git`.
        file_mode: whether the file system keeps track of what is executable.
    """

    git: Path
    file_mode: bool


def checked(workspace: Path) -> Layout:
    """The repository that a workspace itself is.

    Args:
        workspace: the folder; those above it are not looked at.

    Raises:
        ToolError: it is none, or one that leads out of the workspace.
    """
    git = workspace / GIT
    try:
        mode = git.lstat().st_mode
    except FileNotFoundError:
        raise ToolError(
            "the workspace is no git repository; whoever owns it can run 'git init' there"
        ) from None
    if not stat.S_ISDIR(mode):
        raise _outside("its .git is a file or a link, as in a worktree or a submodule")
    for name in _ELSEWHERE:
        if (git / name).exists():
            raise _outside(f"it has .git/{name}")
    if any(git.glob("sharedindex.*")):
        raise ToolError("the workspace's repository has a split index, which is not supported")
    link = _first_link(git)
    if link is not None:
        raise _outside(f"{link} is a link")
    return Layout(git, _file_mode(git / "config"))


def require_nothing_under_way(git: Path) -> None:
    """Refuse to change a repository in the middle of something.

    Raises:
        ToolError: a merge or its like is not finished.
    """
    for name, what in _UNDER_WAY.items():
        if (git / name).exists():
            raise ToolError(f"a {what} is under way in the workspace; finish or abort it first")


def _first_link(folder: str | Path) -> str | None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == HOOKS:
                continue  # never looked into
            if entry.is_symlink():
                return entry.path
            if entry.is_dir(follow_symlinks=False) and (found := _first_link(entry.path)):
                return found
    return None


def _file_mode(path: Path) -> bool:
    """Check the configuration; includes are not followed, nor is a user's own file read."""
    try:
        with path.open("rb") as file:
            config = ConfigFile.from_file(file, expand_includes=False)
        bare = config.get_boolean((b"core",), b"bare", False)
        file_mode = config.get_boolean((b"core",), b"filemode", True)
    except FileNotFoundError:
        return True
    except ValueError as error:
        raise ToolError(f"the workspace's .git/config cannot be read: {error}") from None
    if bare or _has(config, b"core", b"worktree"):
        raise _outside("its configuration has core.bare or core.worktree")
    if config.has_section((b"extensions",)):
        for name, value in config.items((b"extensions",)):
            key = name.lower()
            if key not in _EXTENSIONS and _SHA1.get(key) != value.lower():
                shown = f"extensions.{name.decode('utf-8', 'replace')}"
                raise ToolError(f"the workspace's repository uses {shown}, which is not supported")
    return bool(file_mode)


def _has(config: ConfigFile, section: bytes, name: bytes) -> bool:
    try:
        config.get((section,), name)
    except KeyError:
        return False
    return True


def _outside(why: str) -> ToolError:
    return ToolError(
        f"the git tools do not use this repository: {why}, which may lead out of the workspace"
    )
