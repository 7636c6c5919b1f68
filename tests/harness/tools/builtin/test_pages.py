"""fetch_page: what a page says, as Markdown."""

import time

import pytest

from harness.tools.builtin.pages import page_text
from harness.tools.errors import ToolError
from harness.tools.web import Page

HTML = b"""<!doctype html><html><head><title>Bees</title><style>p {color: red}</style>
<script>alert("hi")</script></head><body>
<nav><a href="/">Home</a><ul><li>Menu</li></ul></nav>
<main><h1>Bees</h1><p>A <b>queen</b> lives <a href="../long#x">longer</a>.</p>
<ul><li>wax</li><li>honey</li></ul>
<table><tr><th>Kind</th><th>Wings</th></tr><tr><td>bee</td><td>4</td></tr></table>
<pre><code>buzz(1)</code></pre><img src="data:image/png;base64,AAAA" alt="a bee">
<noscript>Turn on scripts</noscript></main>
<footer>Imprint<form><input></form></footer></body></html>"""


def page(content, kind="text/html", charset=None, url="https://bees.test/a/b"):
    return Page(url=url, content_type=kind, charset=charset, content=content, cut=False)


def test_html_becomes_markdown_without_what_is_no_content():
    assert page_text(page(HTML)) == (
        "Bees\n\n# Bees\n\nA **queen** lives [longer](https://bees.test/long#x).\n\n"
        "* wax\n* honey\n\n| Kind | Wings |\n| --- | --- |\n| bee | 4 |\n\n```\nbuzz(1)\n```"
    )


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "text/csv", "application/json", "application/ld+json", "application/atom+xml"],
)
def test_other_text_stays_as_it_is(kind):
    assert page_text(page(b'{"a": "<b>"}\n', kind)) == '{"a": "<b>"}\n'


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "video/mp4", ""])
def test_what_is_no_text_is_refused(kind):
    with pytest.raises(ToolError, match="only text can be read"):
        page_text(page(b"x", kind))


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        ("Käse".encode("latin-1"), "latin-1", "Käse"),
        ("Käse".encode(), None, "Käse"),
        ('<meta charset="latin-1">Käse'.encode("latin-1"), None, "Käse"),
        (b"K\xe4se", None, "K\ufffdse"),
        ("Käse".encode(), "no-such-encoding", "Käse"),
        (b"plain", "rot13", "plain"),
    ],
)
def test_a_page_is_read_in_the_encoding_that_it_names(content, charset, text):
    assert page_text(page(content, charset=charset)) == text


def test_a_page_nested_deeper_than_any_real_one_is_read_as_text():
    assert page_text(page(b"<div>" * 20_000 + b"deep")) == "deep"


def test_an_address_that_is_none_stays_as_it_is():
    assert page_text(page(b'<a href="http://[bad">x</a>')) == "[x](http://[bad)"


def test_a_large_page_takes_no_time_to_speak_of():
    started = time.process_time()
    page_text(page(b"<p>A paragraph with <b>some</b> words.</p>\n" * 20_000))
    assert time.process_time() - started < 30


async def test_fetch_page_says_how_to_allow_what_is_not_listed(call):
    result = await call("fetch_page", url="https://example.org/")
    assert result.error == (
        "example.org may not be fetched from; whoever runs this can list it in HARNESS_FETCH_ALLOW"
    )


async def test_an_address_without_a_scheme_is_taken_for_https(call):
    assert (await call("fetch_page", url="www.example.org/a")).error.startswith("www.example.org")
