import pytest

from harness.tools._ignored import TreePatterns, glob


def patterns(**folders):
    lines = {name.replace("_", "/").strip("/"): text.split() for name, text in folders.items()}
    return TreePatterns(lambda folder: lines.get(folder, []))


@pytest.mark.parametrize(
    ("path", "is_folder", "matched"),
    [
        ("debug.log", False, True),
        ("src/debug.log", False, True),
        ("src/app.py", False, False),
        ("build", True, True),
        ("build", False, False),
        ("only", False, True),
        ("src/only", False, False),
    ],
)
def test_patterns_of_the_top_folder_hold_below_it(path, is_folder, matched):
    assert patterns(_="*.log build/ /only").match(path, is_folder) is matched


def test_the_nearest_folder_decides():
    found = patterns(_="*.log", src="!keep.log *.tmp")
    assert not found.match("src/keep.log")
    assert found.match("keep.log")
    assert found.match("src/a.tmp")
    assert not found.match("a.tmp")


def test_the_last_pattern_of_a_file_decides():
    assert not patterns(_="*.log !a.log").match("a.log")
    assert patterns(_="!a.log *.log").match("a.log")


def test_a_line_that_is_no_pattern_is_passed_over():
    assert patterns(_="! *.log").match("a.log")


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("*.py", "src/app.py", True),
        ("*.py", "src/app.txt", False),
        ("src/**", "src/a/b.txt", True),
        ("src/**", "lib/b.txt", False),
        ("!*.md", "a.md", False),
        ("!*.md", "a.txt", True),
        ("notes", "notes/a.txt", True),
    ],
)
def test_a_glob_has_the_same_rules(pattern, path, wanted):
    assert glob(pattern)(path) is wanted
