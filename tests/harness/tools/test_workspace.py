import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.tools.errors import ToolError
from harness.tools.workspace import MAX_READ_BYTES, Workspace


@pytest.fixture
def workspace(root):
    return Workspace(root)


OUTSIDE = [
    "../secret.txt",
    "/etc/passwd",
    "notes/../../secret.txt",
    "..",
    "a/../../x",
    "..\\secret.txt",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_is_read(workspace, path):
    with pytest.raises(ToolError, match="outside of the workspace"):
        workspace.read(path)


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_is_written(workspace, root, path):
    with pytest.raises(ToolError, match="outside of the workspace"):
        workspace.write(path, "changed")
    assert (root.parent / "secret.txt").read_text() == "rope: do not read"


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_is_listed(workspace, path):
    with pytest.raises(ToolError, match="outside of the workspace"):
        workspace.entries(path)


def test_a_link_to_a_file_outside_is_not_read(workspace, root):
    (root / "link.txt").symlink_to(root.parent / "secret.txt")
    with pytest.raises(ToolError, match="there is no file"):
        workspace.read("link.txt")


def test_a_link_to_a_folder_outside_leads_nowhere(workspace, root):
    (root / "up").symlink_to(root.parent)
    with pytest.raises(ToolError):
        workspace.read("up/secret.txt")
    with pytest.raises(ToolError):
        workspace.write("up/secret.txt", "changed")
    with pytest.raises(ToolError):
        workspace.entries("up")
    assert all(not path.startswith("up") for path, _ in workspace.entries())
    assert (root.parent / "secret.txt").read_text() == "rope: do not read"


def test_writing_over_a_link_replaces_the_link_and_not_its_target(workspace, root):
    (root / "link.txt").symlink_to(root.parent / "secret.txt")
    workspace.write("link.txt", "new")
    assert (root / "link.txt").read_text() == "new"
    assert not (root / "link.txt").is_symlink()
    assert (root.parent / "secret.txt").read_text() == "rope: do not read"


def test_a_folder_that_turns_into_a_link_between_check_and_use_leads_nowhere(
    workspace, root, monkeypatch
):
    open_file = os.open

    def swap_then_open(path, flags, *rest, **named):
        if path == "notes" and not (root / "notes").is_symlink():
            (root / "notes").rename(root / "moved")
            (root / "notes").symlink_to(root.parent)
        return open_file(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", swap_then_open)
    with pytest.raises(ToolError):
        workspace.read("notes/secret.txt")


@given(
    st.lists(
        st.sampled_from(["..", ".", "notes", "secret.txt", "", "/", "\\", "~", "\0", "ü", "link"]),
        max_size=6,
    ),
    st.sampled_from(["/", "\\"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_path_nothing_outside_changes_or_shows(workspace, root, parts, separator):
    path = separator.join(parts)
    if not (root / "link").is_symlink():
        (root / "link").symlink_to(root.parent)
    before = sorted(entry.name for entry in root.parent.iterdir())
    for attempt in (workspace.read, lambda path: workspace.write(path, "changed")):
        try:
            shown = attempt(path)
        except ToolError:
            continue
        assert "do not read" not in str(shown)
    assert sorted(entry.name for entry in root.parent.iterdir()) == before
    assert (root.parent / "secret.txt").read_text() == "rope: do not read"
    if (root / "link").exists() and not (root / "link").is_symlink():
        (root / "link").unlink()


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
