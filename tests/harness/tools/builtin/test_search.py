"""search_text: ripgrep's rules, and what it does where ripgrep would find nothing."""

import time

import pytest

from harness.tools.builtin import search


@pytest.fixture
def found(call):
    async def lines(query, **options):
        result = await call("search_text", query=query, **options)
        assert result.ok, result.error
        return result.value

    return lines


async def test_a_word_is_found_in_any_case(found):
    assert await found("rope") == ["notes/tasks.md:2: Buy new rope", "readme.md:2: Bring a rope."]


async def test_capitals_count_where_the_query_has_one(found, root):
    (root / "case.txt").write_text("Rope\nrope\n")
    assert await found("Rope") == ["case.txt:1: Rope"]


@pytest.mark.parametrize("query", [r"\Srope", r"[[:^digit:]]rope", r"\pLrope"])
async def test_the_capital_of_a_class_is_no_capital(found, root, query):
    (root / "case.txt").write_text("aROPE\n")
    assert await found(query, glob="case.txt") == ["case.txt:1: aROPE"]


async def test_capitals_do_not_count_where_they_stand_nowhere(found):
    assert await found("ROPE") == ["notes/tasks.md:2: Buy new rope", "readme.md:2: Bring a rope."]


async def test_a_query_is_a_regular_expression(found):
    assert await found(r"^b\w+ .*rope") == [
        "notes/tasks.md:2: Buy new rope",
        "readme.md:2: Bring a rope.",
    ]


async def test_a_pattern_that_would_take_other_engines_for_ever_takes_no_time(found, root):
    (root / "long.txt").write_text("a" * 5000)
    started = time.process_time()
    assert (await found("(a*)*(a*)*(a|aa)+$b"))[0].startswith("No file contains")
    assert time.process_time() - started < 5


async def test_what_is_no_pattern_is_found_as_it_stands(found, root):
    (root / "code.md").write_text("We like C++ and f(x\n")
    assert await found("c++") == ["code.md:1: We like C++ and f(x"]
    assert await found("f(x") == ["code.md:1: We like C++ and f(x"]


async def test_a_pattern_that_finds_nothing_is_found_as_it_stands(found, root):
    (root / "code.md").write_text("Call f(x) twice\n")
    assert await found("f(x)") == ["code.md:1: Call f(x) twice"]


async def test_what_is_no_pattern_and_stands_nowhere_is_named(call):
    result = await call("search_text", query="(rope")
    assert result.error.startswith("'(rope' is no regular expression (missing ): (rope)")


async def test_the_words_of_a_phrase_that_stands_nowhere_are_found_on_one_line(found):
    assert await found("mast March") == ["notes/old/log.txt:1: The mast broke in March."]
    assert await found("the mast, in March?") == ["notes/old/log.txt:1: The mast broke in March."]


async def test_the_letters_of_a_pattern_are_no_phrase(found):
    assert await found(r"mast\s+March") == [r"No file contains 'mast\\s+March'."]


async def test_it_says_when_nothing_is_found(found):
    assert await found("anchor") == ["No file contains 'anchor'."]


async def test_a_glob_narrows_the_files(found):
    assert await found("rope", glob="*.txt") == ["No file contains 'rope'."]
    assert await found("rope", glob="notes/**") == ["notes/tasks.md:2: Buy new rope"]
    assert await found("rope", glob="!notes/") == ["readme.md:2: Bring a rope."]


async def test_lines_around_a_match_are_marked(found, root):
    (root / "poem.txt").write_text("one\n  two\nthree\nfour\nfive\nsix\nTWO\n")
    assert await found("two", glob="poem.txt", lines_around=1) == [
        "poem.txt-1- one",
        "poem.txt:2:   two",
        "poem.txt-3- three",
        "--",
        "poem.txt-6- six",
        "poem.txt:7: TWO",
    ]


async def test_ignored_hidden_and_binary_files_are_not_searched(found, root):
    (root / ".gitignore").write_text("*.log\n/vendor/\n")
    (root / "a.log").write_text("needle")
    (root / "vendor").mkdir()
    (root / "vendor" / "b.txt").write_text("needle")
    (root / "notes" / ".gitignore").write_text("c.txt\n!keep.log\n")
    (root / "notes" / "c.txt").write_text("needle")
    (root / "notes" / "keep.log").write_text("needle")
    (root / ".secret").write_text("needle")
    (root / "d.bin").write_bytes(b"needle\0\1")
    (root / "link.txt").symlink_to("readme.md")
    assert await found("needle") == ["notes/keep.log:1: needle"]


async def test_only_so_many_lines_are_shown_and_the_rest_is_said(found, root):
    (root / "many.txt").write_text("needle\n" * 80)
    shown = await found("needle")
    assert len(shown) == search.MAX_LINES + 1
    assert shown[-1] == "[cut: the first 50 lines shown; narrow the search]"


async def test_exactly_as_many_lines_as_are_shown_are_not_called_cut(found, root):
    (root / "many.txt").write_text("needle\n" * search.MAX_LINES)
    assert (await found("needle"))[-1] == "many.txt:50: needle"


async def test_a_long_line_is_shown_around_its_match(found, root):
    (root / "long.txt").write_text("x" * 500 + "needle" + "y" * 500)
    (line,) = await found("needle")
    assert "needle" in line
    assert line.startswith("long.txt:1: …x")
    assert line.endswith("y…")
    assert len(line) < search.MAX_LINE_CHARS + 30


async def test_a_file_too_large_to_search_is_named(found, root, monkeypatch):
    monkeypatch.setattr(search, "MAX_FILE_BYTES", 50)
    (root / "huge.txt").write_text("rope" * 100)
    assert "[not searched: huge.txt is too large]" in await found("rope")
    assert "[not searched: huge.txt is too large]" in await found("anchor")


async def test_where_a_search_of_too_much_ends_is_said(found, monkeypatch):
    monkeypatch.setattr(search, "MAX_FILES", 3)
    assert await found("rope") == [
        "No file contains 'rope'.",
        "[cut: not searched from notes/tasks.md on; name a glob]",
    ]


async def test_the_end_of_the_last_line_is_no_line(found, root):
    (root / "end.txt").write_text("a\n\nb\n")
    assert await found("^$", glob="end.txt") == ["end.txt:2:"]
