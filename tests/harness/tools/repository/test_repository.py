"""Log, diff, commit and branches, checked against dulwich's own commands."""

import os
import stat
from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.repo import Repo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.tools.errors import ToolError
from harness.tools.repository import _worktree
from harness.tools.repository import repository as module

AUTHOR = "Ann <ann@example.org>"


def test_the_log_names_commits_newest_first(tree, repository, commit):
    (tree / "a.txt").write_text("changed\n")
    newest = commit(tree, "Second\n\nwith a body")
    lines = repository().log(10)
    assert [line.split(" Ann: ")[1] for line in lines] == ["Second", "First"]
    assert lines[0].startswith(newest[:8].decode())
    assert repository().log(1) == lines[:1]


def test_the_log_of_a_path_has_only_what_changed_it(tree, repository, commit):
    (tree / "a.txt").write_text("changed\n")
    commit(tree, "Change a")
    (tree / "sub" / "b.txt").write_text("changed\n")
    commit(tree, "Change b")
    subjects = [
        [line.split(": ")[1] for line in repository().log(10, path)]
        for path in ("a.txt", "sub", "sub/b.txt", "a.txt/x", "missing")
    ]
    assert subjects == [
        ["Change a", "First"],
        ["Change b", "First"],
        ["Change b", "First"],
        [],
        [],
    ]


def test_the_log_of_a_shallow_clone_ends_where_it_was_cut(tree, repository, commit):
    (tree / "a.txt").write_text("changed\n")
    newest = commit(tree, "Second")
    with Repo(tree) as repo:
        (first,) = repo[newest].parents
    (tree / ".git" / "objects" / first[:2].decode() / first[2:].decode()).unlink()
    (tree / ".git" / "shallow").write_bytes(newest + b"\n")
    assert len(repository().log(10)) == len(repository().log(10, "a.txt")) == 1


def test_a_clean_workspace_has_no_diff(repository):
    assert repository().diff() == "no file differs from the last commit"


def test_a_diff_shows_what_changed_and_what_of_it_is_staged(tree, repository):
    (tree / "a.txt").write_text("one\n2\n")
    porcelain.add(tree, [str(tree / "a.txt")])
    (tree / "sub" / "b.txt").write_text("b")
    (tree / "run.sh").unlink()
    (tree / "new.txt").write_text("new\n")
    assert repository().diff().splitlines() == [
        "modified (staged): a.txt",
        "untracked: new.txt",
        "deleted (not staged): run.sh",
        "modified (not staged): sub/b.txt",
        "",
        "diff --git a/a.txt b/a.txt",
        "--- a/a.txt",
        "+++ b/a.txt",
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+2",
        "",
        "diff --git a/run.sh b/run.sh",
        "--- a/run.sh",
        "+++ /dev/null",
        "@@ -1 +0,0 @@",
        "-echo",
        "",
        "diff --git a/sub/b.txt b/sub/b.txt",
        "--- a/sub/b.txt",
        "+++ b/sub/b.txt",
        "@@ -1 +1 @@",
        "-b",
        "+b",
        "\\ No newline at end of file",
    ]


def test_a_change_after_staging_is_partly_staged(tree, repository):
    (tree / "a.txt").write_text("staged\n")
    porcelain.add(tree, [str(tree / "a.txt")])
    (tree / "a.txt").write_text("and more\n")
    assert repository().diff().startswith("modified (partly staged): a.txt")


def test_a_diff_may_be_of_one_path(tree, repository):
    (tree / "a.txt").write_text("x\n")
    (tree / "sub" / "b.txt").write_text("x\n")
    assert "a.txt" not in repository().diff("sub")
    assert "sub" not in repository().diff("a.txt")
    assert repository().diff("su") == "no file differs from the last commit"


def test_a_change_in_the_instant_of_the_commit_is_seen(tree, repository):
    """Same size and same time: only the content tells."""
    (tree / "a.txt").write_text("one\nTWO\n")
    index = (tree / ".git" / "index").stat()
    os.utime(tree / "a.txt", ns=(index.st_atime_ns, index.st_mtime_ns))
    assert repository().diff().startswith("modified (not staged): a.txt")


def test_what_can_run_is_a_change(tree, repository):
    (tree / "a.txt").chmod(0o755)
    assert "mode 100644 becomes 100755" in repository().diff()
    (tree / ".git" / "config").write_text("[core]\n\tfilemode = false\n")
    assert repository().diff() == "no file differs from the last commit"


def test_binary_and_large_files_are_named_only(tree, repository, monkeypatch):
    (tree / "a.txt").write_bytes(b"\0\1")
    (tree / "sub" / "b.txt").write_text("word\n" * 100_000)
    shown = repository().diff()
    assert "Binary files differ" in shown
    assert "Too large to compare: 2 bytes become 500000" in shown


def test_a_commit_has_every_change_and_leaves_nothing(tree, repository, assert_clean, contents):
    (tree / "a.txt").write_text("changed\n")
    (tree / "run.sh").unlink()
    (tree / "new").mkdir()
    (tree / "new" / ".hidden").write_text("h")
    short = repository().commit(" Change things\n\nwith a body ", AUTHOR)
    assert contents(tree) == {
        "a.txt": b"changed\n",
        "sub/b.txt": b"b\n",
        "new/.hidden": b"h",
    }
    assert_clean(tree)
    with Repo(tree) as repo:
        made = repo[repo.head()]
        assert made.message == b"Change things\n\nwith a body\n"
        assert made.author == made.committer == AUTHOR.encode()
        assert made.id.decode().startswith(short)
        assert [repo[parent].message for parent in made.parents] == [b"First"]


def test_a_first_commit_has_no_parent(tmp_path, assert_clean):
    porcelain.init(tmp_path).close()
    (tmp_path / "a.txt").write_text("a")
    module.Repository(tmp_path).commit("First", AUTHOR)
    assert_clean(tmp_path)


def test_what_is_ignored_is_not_committed_unless_it_was_before(tree, repository, commit, contents):
    (tree / "kept.log").write_text("1")
    (tree / "build").mkdir()
    (tree / "build" / "kept.txt").write_text("1")
    commit(tree, "Before")
    (tree / ".gitignore").write_text("*.log\nbuild/\n")
    (tree / ".git" / "info").mkdir(exist_ok=True)
    (tree / ".git" / "info" / "exclude").write_text("secret.txt\n")
    for name in ("other.log", "secret.txt", "build/other.txt", "build/sub.txt"):
        (tree / name).write_text("not to be committed")
    (tree / "kept.log").write_text("2")
    (tree / "build" / "kept.txt").write_text("2")
    repository().commit("After", AUTHOR)
    assert b"not to be committed" not in contents(tree).values()
    assert contents(tree)["kept.log"] == contents(tree)["build/kept.txt"] == b"2"


def test_a_link_is_committed_as_what_it_says(tree, repository, tmp_path, contents):
    (tmp_path / "secret.txt").write_text("do not read")
    (tree / "link").symlink_to("../secret.txt")
    (tree / "up").symlink_to("..")
    repository().commit("Link", AUTHOR)
    assert contents(tree)["link"] == b"../secret.txt"
    assert contents(tree)["up"] == b".."
    assert b"do not read" not in b"".join(contents(tree).values())


def test_a_repository_within_the_workspace_is_left_alone(tree, repository):
    (tree / "inner" / ".git").mkdir(parents=True)
    (tree / "inner" / "x.txt").write_text("x")
    with pytest.raises(ToolError, match="nothing to commit"):
        repository().commit("Nothing", AUTHOR)


def test_nothing_to_commit_is_said(repository):
    with pytest.raises(ToolError, match="there is nothing to commit"):
        repository().commit("Nothing", AUTHOR)


def test_a_file_too_large_to_commit_is_named(tree, repository, monkeypatch):
    monkeypatch.setattr(_worktree, "MAX_FILE_BYTES", 100)
    (tree / "huge.bin").write_bytes(b"x" * 101)
    assert "untracked: huge.bin" in repository().diff()
    with pytest.raises(ToolError, match=r"'huge\.bin' is larger than"):
        repository().commit("Huge", AUTHOR)
    assert len(repository().log(5)) == 1


@pytest.mark.parametrize("author", ["Ann", "Ann <>", "Ann <a@b>\nevil <e@f>", "<a@b>"])
def test_an_author_that_is_none_is_refused(tree, repository, author):
    (tree / "a.txt").write_text("x")
    with pytest.raises(ToolError, match="HARNESS_GIT_AUTHOR is"):
        repository().commit("x", author)


@pytest.mark.parametrize("name", ["MERGE_HEAD", "CHERRY_PICK_HEAD", "rebase-merge"])
def test_nothing_is_changed_in_the_middle_of_something(tree, repository, name):
    (tree / "a.txt").write_text("x")
    (tree / ".git" / name).write_text("x")
    for change in (lambda r: r.commit("x", AUTHOR), lambda r: r.switch("other")):
        with pytest.raises(ToolError, match="is under way in the workspace"):
            change(repository())


def test_another_programs_lock_is_respected(tree, repository):
    (tree / "a.txt").write_text("x")
    (tree / ".git" / "index.lock").touch()
    with pytest.raises(ToolError, match="another program is using the repository"):
        repository().commit("x", AUTHOR)
    assert len(repository().log(5)) == 1


def test_a_new_branch_begins_where_one_is_and_keeps_the_changes(tree, repository):
    (tree / "a.txt").write_text("not committed\n")
    assert repository().switch("topic/one") is True
    assert (repository().branch(), repository().branches()) == ("topic/one", ["main", "topic/one"])
    assert (tree / "a.txt").read_text() == "not committed\n"


def test_switching_brings_the_branchs_files(tree, repository, assert_clean):
    repository().switch("topic")
    (tree / "a.txt").write_text("topic\n")
    (tree / "run.sh").unlink()
    (tree / "deep" / "er").mkdir(parents=True)
    (tree / "deep" / "er" / "c.txt").write_text("c\n")
    repository().commit("On topic", AUTHOR)
    assert repository().switch("main") is False
    assert (tree / "a.txt").read_text() == "one\ntwo\n"
    assert stat.S_IMODE((tree / "run.sh").stat().st_mode) & 0o111
    assert not (tree / "deep").exists()
    assert_clean(tree)
    repository().switch("topic")
    assert (tree / "deep" / "er" / "c.txt").read_text() == "c\n"
    assert not (tree / "run.sh").exists()
    assert_clean(tree)


def test_a_change_that_is_not_committed_is_not_lost_by_switching(tree, repository):
    porcelain.branch_create(tree, "topic")
    (tree / "a.txt").write_text("precious\n")
    with pytest.raises(ToolError, match=r"not committed: a\.txt; commit them first"):
        repository().switch("topic")
    assert (tree / "a.txt").read_text() == "precious\n"
    assert repository().branch() == "main"


@pytest.mark.parametrize("place", ["c", "c/d.txt"])
def test_a_file_that_git_does_not_know_is_not_overwritten_by_switching(tree, repository, place):
    repository().switch("topic")
    (tree / "c").mkdir()
    (tree / "c" / "d.txt").write_text("committed")
    repository().commit("Add", AUTHOR)
    repository().switch("main")
    (tree / place).parent.mkdir(exist_ok=True)
    (tree / place).write_text("precious")
    with pytest.raises(ToolError, match="is in the way and not in git"):
        repository().switch("topic")
    assert (tree / place).read_text() == "precious"
    assert repository().branch() == "main"


def test_a_folder_may_become_a_file_and_back(tree, repository, assert_clean):
    repository().switch("topic")
    (tree / "a.txt").unlink()
    (tree / "a.txt").mkdir()
    (tree / "a.txt" / "x").write_text("x")
    repository().commit("Folder", AUTHOR)
    with pytest.raises(ToolError, match=r"'a\.txt' is in the way"):  # not worth the risk
        repository().switch("main")
    assert_clean(tree)


def test_a_link_of_a_branch_is_not_made(tree, repository, tmp_path):
    repository().switch("topic")
    (tree / "link").symlink_to(tmp_path)
    repository().commit("Link", AUTHOR)
    with pytest.raises(ToolError, match="'link' is a link or a submodule"):
        repository().switch("main")


@pytest.mark.parametrize(
    "name", ["", "-b", "HEAD", "a..b", "../x", "a b", "x.lock", "/x", "x/", "a\nb", "@{", "a~1"]
)
def test_what_is_no_branchs_name_is_refused(tree, repository, name):
    before = sorted(str(p) for p in tree.rglob("*"))
    with pytest.raises(ToolError, match="is no name for a branch"):
        repository().switch(name)
    assert sorted(str(p) for p in tree.rglob("*")) == before


def test_a_branch_below_another_is_refused_in_words(repository):
    with pytest.raises(ToolError):
        repository().switch("main/below")
    assert repository().branch() == "main"


def test_a_workspace_on_no_branch_is_not_committed_to(tree, repository):
    with Repo(tree) as repo:
        head = repo.head()
    (tree / ".git" / "HEAD").write_bytes(head + b"\n")
    (tree / "a.txt").write_text("x")
    assert repository().branch() is None
    with pytest.raises(ToolError, match="HEAD is on no branch"):
        repository().commit("x", AUTHOR)


def test_packed_refs_and_objects_are_read(tree, repository, assert_clean):
    with Repo(tree) as repo:
        porcelain.gc(repo, prune=False)
        porcelain.pack_refs(repo, all=True)
    (tree / "a.txt").write_text("packed\n")
    repository().commit("After packing", AUTHOR)
    assert len(repository().log(5)) == 2
    assert_clean(tree)


@pytest.mark.parametrize("damaged", ["objects", "index", "HEAD"])
def test_damage_is_told_in_a_line(tree, repository, damaged):
    path = tree / ".git" / damaged
    if damaged == "objects":
        for each in list(path.rglob("*")):
            if each.is_file():
                each.chmod(0o644)
                each.write_bytes(b"garbage")
    else:
        path.write_bytes(b"\xff" * 40)
    with pytest.raises(ToolError, match="the repository"):
        repository().diff()


NAMES = st.sampled_from(["a.txt", "sub/b.txt", "sub/c.txt", "d/e/f.txt", "run.sh"])


@given(st.lists(st.tuples(NAMES, st.sampled_from(["", "x\n", "x\ny", "\0"])), max_size=8))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_written_a_commit_has_it_and_switching_brings_it_back(
    tmp_path, contents, assert_clean, edits
):
    root = tmp_path / os.urandom(8).hex()
    root.mkdir()
    porcelain.init(root).close()
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (root / "a.txt").write_text("start")
    module.Repository(root).commit("Start", AUTHOR)
    module.Repository(root).switch("work")
    for name, text in edits:
        path = root / name
        if text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        else:
            path.unlink(missing_ok=True)
    written = files(root)
    if written != {"a.txt": b"start"}:
        module.Repository(root).commit("Work", AUTHOR)
        assert contents(root, "work") == written
    module.Repository(root).switch("main")
    assert files(root) == {"a.txt": b"start"}
    module.Repository(root).switch("work")
    assert files(root) == written
    assert_clean(root)


def files(root: Path) -> dict[str, bytes]:
    found = (p for p in root.rglob("*") if p.is_file() and ".git" not in p.parts)
    return {str(p.relative_to(root)): p.read_bytes() for p in found}
