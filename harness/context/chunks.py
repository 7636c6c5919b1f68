"""A document cut along its structure into pieces that an embedder takes whole."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt

Fits = Callable[[str], bool]

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")
_LINE_END = re.compile(r"\n")
_WORD_END = re.compile(r"\s+")
_FRONT_MATTER = re.compile(r"---\n(?:.*\n)*?---[ \t]*\n")

# Where a block that does not fit is cut, the best places first.
Places = tuple[re.Pattern[str], ...]
_IN_PROSE: Places = (_SENTENCE_END, _LINE_END, _WORD_END)
_IN_LISTS: Places = (_LINE_END, _SENTENCE_END, _WORD_END)
_IN_CODE: Places = (_LINE_END, _WORD_END)
_PLACES = {
    "paragraph_open": _IN_PROSE,
    "fence": _IN_CODE,
    "code_block": _IN_CODE,
    "table_open": _IN_CODE,
    "html_block": _IN_CODE,
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document.

    Attributes:
        text: the piece as it stands there, its own headings included, without outer blanks.
        headings: the path of headings that it stands under, the outermost first.
        number: its place, counted from 0.
    """

    text: str
    headings: tuple[str, ...]
    number: int


@dataclass(frozen=True, slots=True)
class _Block:
    """A paragraph, list, code block, table or heading: `text[start:end]`, with what follows it."""

    start: int
    end: int
    cuts: tuple[int, ...] = ()  # where its items begin
    level: int = 0  # of a heading, 1–6
    heading: str = ""
    places: Places = _IN_PROSE


@dataclass(slots=True)
class _Open:
    """A chunk that may still grow."""

    start: int
    end: int
    headings: tuple[str, ...]
    bare: bool  # nothing but headings so far


def chunk(text: str, fits: Fits, *, markdown: bool) -> list[Chunk]:
    """Cut a document into chunks that fit, none overlapping another.

    A section is never mixed with the next one, and a paragraph, list or code block stays whole
    where it fits; one that does not is cut at its items, sentences or lines, and only then at
    words. What is between the chunks is blank, so nothing is lost.

    Args:
        text: the document; lines end with a newline alone.
        fits: whether a text is short enough for one chunk; every single character must be.
        markdown: whether it has Markdown's structure; otherwise its paragraphs alone count.
    """
    blocks = _markdown_blocks(text) if markdown else _paragraphs(text)
    chunks: list[Chunk] = []
    for start, end, headings in _pack(text, blocks, fits):
        piece = text[start:end].strip()
        if piece:
            chunks.append(Chunk(piece, headings, len(chunks)))
    return chunks


def _pack(
    text: str, blocks: Sequence[_Block], fits: Fits
) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Spans that cover the text, each with the path of its headings."""
    path: list[tuple[int, str]] = []
    current: _Open | None = None
    for block in blocks:
        if block.level:
            path = [(level, title) for level, title in path if level < block.level]
            path.append((block.level, block.heading))
            if current is not None and not current.bare:
                yield current.start, current.end, current.headings
                current = None
        headings = tuple(title for _, title in path)
        for start, end in _pieces(text, block, fits):
            if current is not None and fits(text[current.start : end].strip()):
                current.end, current.headings = end, headings
                current.bare = current.bare and bool(block.level)
            else:
                if current is not None:
                    yield current.start, current.end, current.headings
                current = _Open(start, end, headings, bare=bool(block.level))
    if current is not None:
        yield current.start, current.end, current.headings


def _pieces(text: str, block: _Block, fits: Fits) -> Iterator[tuple[int, int]]:
    """The block whole, or cut into pieces that fit."""
    if fits(text[block.start : block.end].strip()):
        yield block.start, block.end
        return
    for start, end in _spans(block.start, block.end, block.cuts):
        yield from _cut(text, start, end, fits, block.places)


def _cut(text: str, start: int, end: int, fits: Fits, places: Places) -> Iterator[tuple[int, int]]:
    if fits(text[start:end].strip()):
        yield start, end
    elif places:
        cuts = [match.end() for match in places[0].finditer(text, start, end)]
        for part in _spans(start, end, cuts):
            yield from _cut(text, *part, fits, places[1:])
    else:
        while start < end:
            stop = _longest(text, start, end, fits)
            yield start, stop
            start = stop


def _longest(text: str, start: int, end: int, fits: Fits) -> int:
    """Where the longest piece from `start` on ends that fits: by halves, as one word is long."""
    least, most = start + 1, end
    while least < most:
        middle = (least + most + 1) // 2
        if fits(text[start:middle].strip()):
            least = middle
        else:
            most = middle - 1
    return least


def _spans(start: int, end: int, cuts: Sequence[int]) -> list[tuple[int, int]]:
    inner = [cut for cut in dict.fromkeys(cuts) if start < cut < end]
    return list(zip([start, *inner], [*inner, end], strict=True))


def _paragraphs(text: str) -> list[_Block]:
    cuts = [match.end() for match in _PARAGRAPH_END.finditer(text)]
    return [_Block(start, end) for start, end in _spans(0, len(text), cuts)]


def _markdown_blocks(text: str) -> list[_Block]:
    """The document's top level: each block ends where the next begins."""
    front = _FRONT_MATTER.match(text)
    offset = front.end() if front else 0
    lines = [offset, *(match.end() for match in _LINE_END.finditer(text, offset))]
    tokens = _MARKDOWN.parse(text[offset:])
    places = [i for i, token in enumerate(tokens) if token.level == 0 and token.map]
    starts = [lines[(tokens[i].map or [0])[0]] for i in places]
    # What comes before the first block makes none in Markdown, such as a link's definition.
    blocks = [_Block(0, starts[0] if starts else len(text))]
    spans = pairwise([*starts, len(text)])
    for (start, end), (here, following) in zip(
        spans, pairwise([*places, len(tokens)]), strict=True
    ):
        token = tokens[here]
        items = (each for each in tokens[here:following] if each.level == 1 and each.map)
        is_heading = token.type == "heading_open"
        blocks.append(
            _Block(
                start,
                end,
                cuts=tuple(lines[(item.map or [0])[0]] for item in items),
                level=int(token.tag[1:]) if is_heading else 0,
                heading=" ".join(tokens[here + 1].content.split()) if is_heading else "",
                places=_PLACES.get(token.type, _IN_LISTS),
            )
        )
    return [block for block in blocks if block.start < block.end]
