"""A repository that somebody else prepared: it runs nothing and leads nowhere."""

import stat

import pytest
from dulwich import porcelain

from harness.tools.errors import ToolError
from harness.tools.repository import Repository

AUTHOR = "Ann <ann@example.org>"


@pytest.fixture
def trap(tmp_path):
    """A program that leaves a mark when it runs."""
    mark = tmp_path / "it-ran"
    program = tmp_path / "trap.sh"
    program.write_text(f"#!/bin/sh\ntouch '{mark}'\ncat\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    yield program
    assert not mark.exists()


def use(tree):
    """Every operation there is."""
    repository = Repository(tree)
    repository.log(5)
    repository.branches()
    repository.diff()
    repository.commit("Use", AUTHOR)
    repository.switch("other")
    repository.switch("main")
    repository.close()


def test_no_hook_runs(tree, trap):
    hooks = tree / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    names = ("pre-commit", "commit-msg", "post-commit", "post-checkout", "reference-transaction")
    for name in names:
        (hooks / name).symlink_to(trap)
    (tree / "a.txt").write_text("x")
    use(tree)


def test_no_program_that_the_configuration_names_runs(tree, trap):
    (tree / ".git" / "config").write_text(
        f"[core]\n\tfsmonitor = {trap}\n\tpager = {trap}\n\teditor = {trap}\n\thooksPath = .\n"
        f"\tsshCommand = {trap}\n[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = {trap}\n"
        f'[diff]\n\texternal = {trap}\n[filter "evil"]\n\tclean = {trap}\n\tsmudge = {trap}\n'
        f"\tprocess = {trap}\n[alias]\n\tlog = !{trap}\n"
    )
    (tree / "a.txt").write_text("x")
    use(tree)


def test_a_file_with_a_filter_is_neither_committed_nor_switched(tree, trap):
    (tree / ".git" / "config").write_text(f'[filter "evil"]\n\tclean = {trap}\n')
    (tree / ".gitattributes").write_text("*.dat filter=evil -text\n*.txt -filter\n")
    Repository(tree).commit("Attributes", AUTHOR)
    (tree / "sub" / "big.dat").write_text("x")
    assert "untracked: sub/big.dat" in Repository(tree).diff()
    with pytest.raises(ToolError, match=r"'sub/big\.dat' has a filter in \.gitattributes"):
        Repository(tree).commit("Data", AUTHOR)


def test_included_configuration_is_not_read(tree, tmp_path):
    (tmp_path / "outside").write_text("[core]\n\tbare = true\n")
    (tree / ".git" / "config").write_text(f"[include]\n\tpath = {tmp_path / 'outside'}\n")
    (tree / "a.txt").write_text("x")
    use(tree)


@pytest.mark.parametrize(
    "config",
    [
        "[core]\n\tworktree = /\n",
        "[core]\n\tworktree = ../..\n",
        "[core]\n\tbare = true\n",
        "[extensions]\n\tobjectformat = sha256\n",
        "[extensions]\n\trefstorage = reftable\n",
        "[extensions]\n\tfromTheFuture = true\n",
        "[core\n",
        "[core]\n\tbare = perhaps\n",
    ],
)
def test_a_configuration_that_leads_elsewhere_is_refused(tree, config, commit):
    (tree / ".git" / "config").write_text(config)
    with pytest.raises(ToolError):
        Repository(tree)


def other_repository(tmp_path, commit):
    other = tmp_path / "other"
    other.mkdir()
    porcelain.init(other).close()
    (other / "secret.txt").write_text("do not read")
    commit(other, "Secret")
    return other


def test_a_file_that_points_to_another_repository_is_refused(tmp_path, commit):
    other = other_repository(tmp_path, commit)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / ".git").write_text(f"gitdir: {other / '.git'}\n")
    with pytest.raises(ToolError, match=r"its \.git is a file or a link"):
        Repository(workspace)


def test_a_link_to_another_repository_is_refused(tmp_path, commit):
    other = other_repository(tmp_path, commit)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / ".git").symlink_to(other / ".git")
    with pytest.raises(ToolError, match=r"its \.git is a file or a link"):
        Repository(workspace)


def test_the_repository_around_the_workspace_is_not_used(tmp_path, commit):
    other = other_repository(tmp_path, commit)
    workspace = other / "workspace"
    workspace.mkdir()
    with pytest.raises(ToolError, match="the workspace is no git repository"):
        Repository(workspace)


@pytest.mark.parametrize("name", ["objects", "refs", "HEAD", "index", "packed-refs", "config"])
def test_a_link_within_git_is_refused(tree, tmp_path, name):
    outside = tmp_path / "outside"
    place = tree / ".git" / name
    if place.exists():
        place.rename(outside)
    place.symlink_to(outside)
    with pytest.raises(ToolError, match=rf"/{name} is a link"):
        Repository(tree)


@pytest.mark.parametrize("name", ["commondir", "objects/info/alternates"])
def test_objects_of_elsewhere_are_refused(tree, tmp_path, name, commit):
    other = other_repository(tmp_path, commit)
    (tree / ".git" / "objects" / "info").mkdir(exist_ok=True)
    (tree / ".git" / name).write_text(f"{other / '.git' / 'objects'}\n")
    with pytest.raises(ToolError, match=f"it has .git/{name}"):
        Repository(tree)


@pytest.mark.parametrize(
    "head",
    [
        "ref: ../../secret",
        "ref: refs/heads/../../../secret",
        "ref: refs/tags/x",
        "ref: /etc/passwd",
    ],
)
def test_a_head_that_points_elsewhere_changes_nothing_there(tree, tmp_path, head):
    (tmp_path / "secret").write_text("0" * 40)
    (tree / ".git" / "HEAD").write_text(f"{head}\n")
    (tree / "a.txt").write_text("x")
    with pytest.raises(ToolError):
        Repository(tree).commit("x", AUTHOR)
    assert (tmp_path / "secret").read_text() == "0" * 40


def test_a_branch_that_stands_for_something_else_is_not_committed_to(tree, tmp_path):
    (tree / ".git" / "refs" / "heads" / "main").write_text("ref: refs/heads/other\n")
    (tree / "a.txt").write_text("x")
    with pytest.raises(ToolError):
        Repository(tree).commit("x", AUTHOR)


@pytest.mark.parametrize("path", [b"../evil.txt", b".git/config", b"sub/.GIT/config", b"/evil.txt"])
def test_a_branchs_file_that_would_land_elsewhere_is_refused(tree, tmp_path, path):
    from dulwich.objects import Blob, Commit, Tree
    from dulwich.repo import Repo

    with Repo(tree) as repo:
        before = (tree / ".git" / "config").read_bytes()
        blob, made, root = Blob.from_string(b"evil"), Commit(), Tree()
        root.add(path, 0o100644, blob.id)
        made.tree, made.parents, made.message = root.id, [repo.head()], b"Evil"
        made.author = made.committer = AUTHOR.encode()
        made.author_time = made.commit_time = made.author_timezone = made.commit_timezone = 0
        for each in (blob, root, made):
            repo.object_store.add_object(each)
        repo.refs[b"refs/heads/evil"] = made.id
    with pytest.raises(ToolError):
        Repository(tree).switch("evil")
    assert (tree / ".git" / "config").read_bytes() == before
    assert not (tmp_path / "evil.txt").exists()
    assert Repository(tree).branch() == "main"
