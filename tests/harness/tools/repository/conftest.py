"""Repositories made by dulwich's own commands, which also judge what ours leave behind."""

from collections.abc import Callable
from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.repo import Repo

from harness.tools.repository import Repository

AUTHOR = "Ann <ann@example.org>"


@pytest.fixture(autouse=True)
def nobodys_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A workspace with one commit on `main`: a.txt, run.sh and sub/b.txt."""
    tree = tmp_path / "workspace"
    (tree / "sub").mkdir(parents=True)
    porcelain.init(tree).close()
    (tree / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tree / "a.txt").write_text("one\ntwo\n")
    (tree / "run.sh").write_text("echo\n")
    (tree / "run.sh").chmod(0o755)
    (tree / "sub" / "b.txt").write_text("b\n")
    _commit(tree, "First")
    return tree


@pytest.fixture
def repository(tree: Path) -> Callable[[], Repository]:
    """Opens the workspace's repository anew, as every call does."""
    opened: list[Repository] = []

    def open_it() -> Repository:
        opened.append(Repository(tree))
        return opened[-1]

    yield open_it
    for each in opened:
        each.close()


@pytest.fixture
def commit() -> Callable[[Path, str], bytes]:
    """Commits everything with dulwich's own commands; answers the commit's id."""
    return _commit


@pytest.fixture
def assert_clean() -> Callable[[Path], None]:
    """Asserts that nothing is staged, changed or unknown, as dulwich sees it."""

    def check(tree: Path) -> None:
        status = porcelain.status(tree)
        assert not any(status.staged.values()), status
        assert list(status.unstaged) == []
        assert list(status.untracked) == []

    return check


@pytest.fixture
def contents() -> Callable[..., dict[str, bytes]]:
    """Reads the files of a branch's last commit, by dulwich alone."""

    def read(tree: Path, branch: str = "main") -> dict[str, bytes]:
        with Repo(tree) as repo:
            root = repo[repo.refs[f"refs/heads/{branch}".encode()]].tree
            entries = repo.object_store.iter_tree_contents(root)
            return {entry.path.decode(): repo[entry.sha].as_raw_string() for entry in entries}

    return read


def _commit(tree: Path, message: str) -> bytes:
    files = [str(p) for p in tree.rglob("*") if p.is_file() and ".git" not in p.parts]
    porcelain.add(tree, files)
    return porcelain.commit(tree, message, author=AUTHOR, committer=AUTHOR)
