"""Reading pages of the web, as Markdown."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated
from urllib.parse import urljoin

from bs4 import BeautifulSoup, Tag
from bs4.dammit import EncodingDetector
from markdownify import ATX, MarkdownConverter
from pydantic import Field

from harness.models import Effect
from harness.tools.context import ToolContext
from harness.tools.errors import ToolError
from harness.tools.registry import example, tool
from harness.tools.web import Fetcher, Page

HTML = frozenset({"text/html", "application/xhtml+xml"})
TEXT = frozenset({"application/json", "application/xml", "application/javascript"})
TEXT_ENDINGS = ("+json", "+xml")
# What is no part of what a page says.
NO_CONTENT = (
    "script", "style", "noscript", "template", "nav", "footer", "form", "iframe", "svg", "img",
)  # fmt: skip
CUT = "\n\n[cut: only the start of the page was read]"


@tool(
    effect=Effect.EXTERNAL,
    examples=[
        example("Read https://example.org/news for me", url="https://example.org/news"),
        example("What does the page example.com/about say?", url="https://example.com/about"),
        example("Fetch http://docs.example.net/install", url="http://docs.example.net/install"),
        example("Open the website www.example.org", url="https://www.example.org"),
        example(
            "Summarise this article: https://blog.example.com/2024/bees",
            url="https://blog.example.com/2024/bees",
        ),
        example(
            "Download https://api.example.org/status.json and show it",
            url="https://api.example.org/status.json",
        ),
        example("GET https://example.net/robots.txt", url="https://example.net/robots.txt"),
        example(
            "Look at this link and tell me what it is about: https://example.org/p/42",
            url="https://example.org/p/42",
        ),
    ],
)
async def fetch_page(
    url: Annotated[
        str,
        Field(
            description="Address of the page, as 'https://example.org/page'",
            min_length=1,
            max_length=2000,
        ),
    ],
    *,
    context: ToolContext,
) -> str:
    """Fetch a page of the web by its address (URL) and read it as Markdown."""
    address = url if "://" in url else f"https://{url}"
    page = await Fetcher(context.fetch_allow).get(address)
    text = await asyncio.to_thread(page_text, page)
    return f"{page.url}\n\n{text}{CUT if page.cut else ''}"


def page_text(page: Page) -> str:
    """What a page says: HTML as Markdown, other text as it is.

    Raises:
        ToolError: it is no text.
    """
    kind = page.content_type
    if kind in HTML:
        return _markdown(page)
    if kind.startswith("text/") or kind in TEXT or kind.endswith(TEXT_ENDINGS):
        return _decoded(page, page.charset)
    raise ToolError(f"{page.url} is {kind or 'of no named type'}; only text can be read")


def _markdown(page: Page) -> str:
    declared = EncodingDetector.find_declared_encoding(page.content, is_html=True)
    soup = BeautifulSoup(_decoded(page, page.charset or declared), "html.parser")
    for element in _tags(soup.find_all(NO_CONTENT)):
        element.decompose()
    for link in _tags(soup.find_all("a", href=True)):
        with suppress(ValueError):  # no address at all
            link["href"] = urljoin(page.url, str(link["href"]))
    try:
        text = MarkdownConverter(heading_style=ATX).convert_soup(soup)
    except RecursionError:  # nested deeper than any real page
        text = soup.get_text(" ", strip=True)
    return text.strip()


def _tags(found: Iterable[object]) -> list[Tag]:
    return [each for each in found if isinstance(each, Tag)]


def _decoded(page: Page, charset: str | None) -> str:
    try:
        return page.content.decode(charset or "utf-8", "replace")
    except (LookupError, UnicodeError):  # an encoding that nobody knows, or none of texts
        return page.content.decode("utf-8", "replace")
