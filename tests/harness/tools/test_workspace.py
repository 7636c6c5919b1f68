import errno
import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.tools._folder import MAX_DEPTH
from harness.tools.errors import ToolError
from harness.tools.workspace import MAX_READ_BYTES, Workspace


@pytest.fixture
def workspace(root):
    return Workspace(root)


def test_a_missing_file_is_named_with_those_like_it(workspace):
    with pytest.raises(ToolError, match=r"no file 'tasks\.md'; there are: notes/tasks\.md"):
        workspace.read("tasks.md")


def test_a_folder_is_no_file(workspace):
    with pytest.raises(ToolError, match="is a folder"):
        workspace.read("notes")


def test_a_pipe_is_not_waited_for(workspace, root):
    os.mkfifo(root / "pipe")
    with pytest.raises(ToolError):
        workspace.read("pipe")


def test_what_is_no_text_is_refused(workspace, root):
    (root / "image.png").write_bytes(b"\x89PNG\0\0\xff")
    with pytest.raises(ToolError, match=r"'image\.png' is no text file"):
        workspace.read("image.png")


def test_a_huge_file_is_refused(workspace, root):
    (root / "huge.txt").write_bytes(b"a" * (MAX_READ_BYTES + 1))
    with pytest.raises(ToolError, match="larger than 256 KiB"):
        workspace.read("huge.txt")


def test_writing_makes_the_folders_it_needs(workspace, root):
    assert workspace.write("a/b/c.txt", "text") is False
    assert (root / "a" / "b" / "c.txt").read_text() == "text"


def test_writing_tells_whether_it_replaced_a_file(workspace):
    assert workspace.write("readme.md", "new") is True
    assert workspace.read("readme.md") == "new"


def test_a_failed_write_leaves_the_old_text_and_nothing_else(workspace, root, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ToolError, match=r"'readme\.md' cannot be written: No space left"):
        workspace.write("readme.md", "new")
    assert "boat house" in (root / "readme.md").read_text()
    assert sorted(path.name for path in root.iterdir()) == [".hidden", "notes", "readme.md"]


def test_a_folder_is_not_overwritten(workspace, root):
    with pytest.raises(ToolError, match="'notes' cannot be written"):
        workspace.write("notes", "text")
    assert (root / "notes" / "tasks.md").exists()


def test_a_written_file_is_an_ordinary_one(workspace, root):
    workspace.write("new.txt", "text")
    assert stat.S_ISREG((root / "new.txt").lstat().st_mode)


def test_entries_are_sorted_and_without_hidden_ones(workspace):
    assert workspace.entries() == [
        ("notes", True),
        ("notes/old", True),
        ("notes/old/log.txt", False),
        ("notes/tasks.md", False),
        ("readme.md", False),
    ]


def test_a_workspace_that_is_not_there_yet_is_empty(tmp_path):
    workspace = Workspace(tmp_path / "later")
    assert workspace.entries() == []
    workspace.write("first.txt", "text")
    assert workspace.files() == ["first.txt"]


def test_a_patch_replaces_the_one_place_and_tells_its_line(workspace):
    assert workspace.patch("notes/tasks.md", "Buy new", "Sell old") == 2
    assert workspace.read("notes/tasks.md") == "Paint the hull\nSell old rope\n"


def test_a_patch_may_span_lines_whatever_their_ends(workspace, root):
    (root / "dos.txt").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    assert workspace.patch("dos.txt", "one\ntwo", "1\n2\n2.5") == 1
    assert (root / "dos.txt").read_bytes() == b"1\r\n2\r\n2.5\r\nthree\r\n"


def test_a_text_that_stands_nowhere_is_not_patched(workspace):
    with pytest.raises(ToolError, match=r"'readme\.md' does not contain 'anchor'; view the file"):
        workspace.patch("readme.md", "anchor", "rope")


def test_a_text_that_stands_twice_is_not_patched(workspace):
    workspace.write("twice.txt", "aaa\nb\na")
    with pytest.raises(ToolError, match=r"contains 'a' 4 times \(lines 1, 1, 1, 3\); give more"):
        workspace.patch("twice.txt", "a", "b")
    with pytest.raises(ToolError, match="contains 'aa' 2 times"):  # overlapping ones count
        workspace.patch("twice.txt", "aa", "b")
    assert workspace.read("twice.txt") == "aaa\nb\na"


@pytest.mark.parametrize("change", ["write", "patch"])
def test_a_program_stays_one_when_it_is_changed(workspace, root, change):
    (root / "run.sh").write_text("echo one\n")
    (root / "run.sh").chmod(0o755)
    if change == "write":
        workspace.write("run.sh", "echo two\n")
    else:
        workspace.patch("run.sh", "one", "two")
    assert (root / "run.sh").read_text() == "echo two\n"
    assert stat.S_IMODE((root / "run.sh").stat().st_mode) == 0o755


def test_a_failed_patch_leaves_the_old_text_and_nothing_else(workspace, root, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(ToolError, match=r"'readme\.md' cannot be used: No space left"):
        workspace.patch("readme.md", "rope", "chain")
    assert "rope" in (root / "readme.md").read_text()
    assert sorted(path.name for path in root.iterdir()) == [".hidden", "notes", "readme.md"]


def test_files_and_empty_folders_are_deleted(workspace, root):
    assert workspace.delete("notes/old/log.txt") is False
    assert workspace.delete("notes/old") is True
    assert not (root / "notes" / "old").exists()


def test_a_folder_with_something_in_it_is_not_deleted(workspace, root):
    with pytest.raises(ToolError, match=r"'notes/old' is not empty, delete first: notes/old/log"):
        workspace.delete("notes/old")
    assert (root / "notes" / "old" / "log.txt").exists()


def test_the_workspace_itself_is_not_deleted(workspace, root):
    with pytest.raises(ToolError, match="is the workspace itself"):
        workspace.delete(".")
    assert root.exists()


@pytest.mark.parametrize("path", ["missing.txt", "link", "pipe"])
def test_only_what_is_an_ordinary_file_is_deleted(workspace, root, path):
    (root / "link").symlink_to("readme.md")
    os.mkfifo(root / "pipe")
    with pytest.raises(ToolError, match="there is no file"):
        workspace.delete(path)
    assert (root / "link").is_symlink()
    assert (root / "readme.md").exists()


def test_a_name_that_is_no_text_is_not_listed_and_refused(workspace, root):
    (root / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    assert workspace.files() == ["notes/old/log.txt", "notes/tasks.md", "readme.md"]
    with pytest.raises(ToolError, match="no Unicode text"):
        workspace.read("caf\udce9.txt")


def test_folders_within_folders_are_walked_to_a_bound(workspace, root):
    deep = root
    for _ in range(MAX_DEPTH + 20):
        deep = deep / "d"
        deep.mkdir()
    assert len(workspace.folders()) == MAX_DEPTH + len(["notes", "notes/old"])


@given(st.text(alphabet="ab\n\r", min_size=1, max_size=12), st.text(alphabet="ab\n", max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_patch_changes_the_text_once_or_not_at_all(workspace, root, text, old):
    (root / "any.txt").write_bytes(text.encode())
    if not old:
        return
    try:
        line = workspace.patch("any.txt", old, "XYZ")
    except ToolError:
        assert (root / "any.txt").read_bytes().decode() == text
        return
    ends = "\r\n" if "\r\n" in text else "\n"
    wanted = old.replace("\n", ends)
    before, after = text.split(wanted)
    assert (root / "any.txt").read_bytes().decode() == f"{before}XYZ{after}"
    assert line == before.count("\n") + 1
