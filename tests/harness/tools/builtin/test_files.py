"""Viewing pieces of files, patching and deleting."""

import pytest

from harness.tools.builtin import BUILTIN

SPECS = {each.spec.name: each.spec for each in BUILTIN}


@pytest.fixture
def numbered(root):
    (root / "numbers.txt").write_text("".join(f"line {n}\n" for n in range(1, 101)))


@pytest.mark.parametrize(
    ("piece", "shown"),
    [
        ({"first_line": 3, "lines": 2}, "line 3\nline 4\n"),
        ({"first_line": 99}, "line 99\nline 100\n"),
        ({"lines": 1}, "line 1\n"),
        ({"first_line": 100, "lines": 50}, "line 100\n"),
    ],
)
async def test_view_file_shows_a_piece(call, numbered, piece, shown):
    assert (await call("view_file", path="numbers.txt", **piece)).value == shown


async def test_view_file_says_how_many_lines_there_are(call, numbered):
    result = await call("view_file", path="numbers.txt", first_line=101)
    assert result.error == "'numbers.txt' has 100 lines; name one of them to begin with"


async def test_a_file_too_large_to_view_whole_is_viewed_in_pieces(call, root):
    (root / "large.txt").write_text("some words\n" * 60_000)
    assert not (await call("view_file", path="large.txt")).ok
    piece = await call("view_file", path="large.txt", first_line=59_999)
    assert piece.value == "some words\n" * 2


async def test_patch_file_changes_one_place(call, root):
    result = await call("patch_file", path="readme.md", old="a rope", new="two ropes")
    assert result.value == "Changed readme.md at line 2"
    assert (root / "readme.md").read_text() == "Welcome to the boat house.\nBring two ropes.\n"


async def test_patch_file_refuses_a_change_that_is_none(call):
    result = await call("patch_file", path="readme.md", old="rope", new="rope")
    assert "the same" in result.error


async def test_delete_file_deletes_a_file_and_then_its_folder(call, root):
    assert (await call("delete_file", path="notes/old/log.txt")).value == (
        "Deleted the file notes/old/log.txt"
    )
    assert (await call("delete_file", path="notes/old")).value == "Deleted the folder notes/old"
    assert not (root / "notes" / "old").exists()


@pytest.mark.parametrize("name", ["write_file", "patch_file", "delete_file"])
def test_what_changes_files_asks_first_and_is_not_repeated(name):
    spec = SPECS[name]
    assert (spec.effect, spec.permission, spec.idempotent) == ("write", "ask", False)
