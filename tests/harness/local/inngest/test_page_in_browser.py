"""The engine's page in a real browser."""

import shutil

import pytest
from playwright.async_api import async_playwright

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)"),
]
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")


class Seen:
    """A browser's tab, and everything it complained about or asked for."""

    def __init__(self, tab, url):
        self.tab, self.url = tab, url
        self.requests, self.complaints = [], []
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("console", self._heard)

    def _heard(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    async def go(self, path):
        await self.tab.goto(self.url + path)


@pytest.fixture
async def seen(local):
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield Seen(await browser.new_page(), local.url)
        finally:
            await browser.close()


async def test_a_run_is_found_from_the_functions_and_followed_live_to_its_end(local, seen):
    @local.function("watched", "test/go")
    async def watched(ctx):
        async def first():
            return "<b>first</b>"

        await ctx.step.run("first", first)
        await ctx.step.wait_for_event("answer", event="test/answer", timeout=3_600_000)
        return "all done"

    await local.serve()
    event = await local.send("test/go")
    await local.waiting(event, "wait")
    await seen.go("/")
    tab = seen.tab
    await tab.get_by_role("link", name="app-watched").click()
    await tab.locator("td a").first.click()
    await tab.get_by_text("waiting (wait").wait_for()
    assert await tab.locator(".lane i.waited").count() == 1
    assert "<b>first</b>" in await tab.locator("pre").first.inner_text()
    await tab.evaluate("window.loadedOnce = true")

    await local.send("test/answer")
    await tab.locator(".COMPLETED").wait_for()
    await tab.get_by_text('"all done"').wait_for()
    assert await tab.evaluate("window.loadedOnce") is True  # it was not loaded anew
    assert seen.complaints == []
    assert all(url.startswith(f"{local.url}/") for url in seen.requests)


async def test_a_list_grows_while_it_is_looked_at_and_keeps_what_is_typed(local, seen):
    local.start_engine()
    await seen.go("/events")
    field = seen.tab.get_by_placeholder("event's name")
    await field.fill("test/hal")
    await local.send("test/first")
    await seen.tab.get_by_text("test/first").wait_for()
    assert await field.input_value() == "test/hal"
    await field.fill("test/second")
    await seen.tab.get_by_role("button", name="Filter").click()
    await seen.tab.get_by_text("none").wait_for()
    await local.send("test/second")
    await seen.tab.get_by_role("cell", name="test/second").wait_for()
    assert await seen.tab.get_by_text("test/first").count() == 0
    assert seen.complaints == []
