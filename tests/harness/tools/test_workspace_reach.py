"""Nothing outside of the workspace is reached, whatever the path and whoever races."""

import os
import shutil
import threading
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.tools.errors import ToolError
from harness.tools.workspace import Workspace


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
def test_nothing_outside_is_patched_or_deleted(workspace, root, path):
    with pytest.raises(ToolError, match="outside of the workspace"):
        workspace.patch(path, "rope", "chain")
    with pytest.raises(ToolError, match="outside of the workspace"):
        workspace.delete(path)
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
        workspace.patch("up/secret.txt", "rope", "chain")
    with pytest.raises(ToolError):
        workspace.delete("up/secret.txt")
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
    attempts = (
        workspace.read,
        lambda path: workspace.write(path, "changed"),
        lambda path: workspace.patch(path, "rope", "chain"),
        workspace.delete,
        workspace.entries,
    )
    for attempt in attempts:
        try:
            shown = attempt(path)
        except ToolError:
            continue
        assert "do not read" not in str(shown)
    assert sorted(entry.name for entry in root.parent.iterdir()) == before
    assert (root.parent / "secret.txt").read_text() == "rope: do not read"
    if (root / "link").exists() and not (root / "link").is_symlink():
        (root / "link").unlink()


GITS = [
    ".git",
    ".git/config",
    ".GIT/hooks/pre-commit",
    "notes/.git/config",
    "notes/../.git",
    ".git./config",
    ".git /config",
    ".git::$INDEX_ALLOCATION/config",
    "git~1/config",
    ".g\u200cit/config",
    "./.git/config",
    ".git\\config",
]


@pytest.mark.parametrize("path", GITS)
def test_gits_own_files_are_out_of_reach(workspace, root, path):
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("[core]\n")
    before = sorted(str(each) for each in root.rglob("*"))
    attempts = (
        workspace.read,
        workspace.entries,
        workspace.delete,
        lambda path: workspace.write(path, "[core]\nfsmonitor = evil"),
        lambda path: workspace.patch(path, "core", "include"),
    )
    for attempt in attempts:
        with pytest.raises(ToolError, match=r"belongs to git|outside of the workspace"):
            attempt(path)
    assert sorted(str(each) for each in root.rglob("*")) == before
    assert (root / ".git" / "config").read_text() == "[core]\n"


@pytest.mark.parametrize("path", [".gitignore", ".github/ci.yml", "git/notes.md", "my.git"])
def test_files_that_only_sound_like_gits_are_ordinary(workspace, path):
    workspace.write(path, "text")
    assert workspace.read(path) == "text"


def test_a_folder_that_keeps_turning_into_a_link_never_leads_outside(workspace, root):
    """The link points beside the workspace; what is there must neither show nor change."""
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "tasks.md").write_text("OUTSIDE")
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            for change in (
                lambda: (root / "notes").rename(root / "moved"),
                lambda: (root / "notes").symlink_to(outside),
                lambda: (root / "notes").unlink(),
                lambda: shutil.rmtree(root / "notes"),  # a write made it in between
                lambda: (root / "moved").rename(root / "notes"),
            ):
                with suppress(OSError):
                    change()

    swapping = threading.Thread(target=swap)
    swapping.start()
    shown = []
    try:
        for turn in range(400):
            with suppress(ToolError):
                shown.append(workspace.read("notes/tasks.md"))
            with suppress(ToolError):
                workspace.patch("notes/tasks.md", "OUTSIDE", "changed")
            with suppress(ToolError):
                workspace.write(f"notes/{turn}.txt", "new")
            with suppress(ToolError):
                workspace.delete("notes/secret.txt")
            with suppress(ToolError):
                shown += workspace.files("notes")
    finally:
        stop.set()
        swapping.join()
    assert [path.name for path in outside.iterdir()] == ["tasks.md"]
    assert (outside / "tasks.md").read_text() == "OUTSIDE"
    assert "OUTSIDE" not in shown
