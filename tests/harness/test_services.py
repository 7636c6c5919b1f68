import asyncio
import sys

import pytest

from harness.context.history import HistoryItem
from harness.context.retriever import Scope
from harness.errors import HarnessError
from harness.events import MessageSent
from harness.services import Services, build_services
from harness.settings import McpServer, Settings
from harness.tools.offer import Offer


@pytest.fixture
def settings(convex, tmp_path, free_port) -> Settings:
    return convex.settings.model_copy(
        update={"home": tmp_path, "chroma_url": f"http://127.0.0.1:{free_port()}"}
    )


@pytest.fixture
async def services(settings):
    async with await build_services(settings) as built:
        yield built


@pytest.fixture
def sent(user_id):
    def make(text: str) -> MessageSent:
        return MessageSent(
            message_key="key", thread_id="t", user_id=user_id, text=text, model="m", sent_at=0
        )

    return make


def names(offer: Offer) -> list[str]:
    return [tool.name for tool in offer.tools]


async def test_they_are_built_before_chroma_answers(services):
    assert isinstance(services, Services)


async def test_a_message_is_answered_without_memory_when_chroma_is_down(services, store, user_id):
    thread = await store.create_thread(user_id, "A thread")
    context = await services.gatherer.gather(user_id, thread, 0, "Where is my hat?")
    assert context.memories == []


async def test_a_message_is_answered_without_memory_when_the_embedder_is_down(
    settings, store, user_id, free_port, sent
):
    down = {
        "embedder": "openai:a-model",
        "embedder_base_url": f"http://127.0.0.1:{free_port()}/v1",
    }
    async with await build_services(settings.model_copy(update=down)) as services:
        thread = await store.create_thread(user_id, "A thread")
        context = await services.gatherer.gather(user_id, thread, 0, "Where is my hat?")
        assert context.memories == []
        with pytest.raises(HarnessError, match=r"openai:a-model failed: 127\.0\.0\.1 can't"):
            await services.offer_tools(sent("Wait ten seconds, then go on"))


async def test_memory_itself_says_that_chroma_is_down(services, user_id):
    with pytest.raises(Exception, match="Chroma"):
        await services.memory.retrieve("hat", 3, Scope(user_id=user_id))


async def test_the_tools_that_fit_a_message_are_offered(services, sent):
    assert "wait" in names(await services.offer_tools(sent("Wait ten seconds, then go on")))


async def test_small_talk_is_offered_no_tools(services, sent):
    offer = await services.offer_tools(sent("Good morning, how are you?"))
    assert offer.tools == []
    assert not offer.selection.needed


async def test_a_path_can_only_be_one_that_is_there(services, sent, settings):
    settings.workspace_dir.mkdir()
    (settings.workspace_dir / "letter.txt").write_text("Dear Ann")
    [tool] = [
        tool
        for tool in (await services.offer_tools(sent("Show me the file letter.txt"))).tools
        if tool.name == "view_file"
    ]
    assert tool.parameters["properties"]["path"]["enum"] == ["letter.txt"]


async def test_what_its_user_forbids_is_not_offered(services, sent, store, user_id):
    await store.ensure_user(user_id)
    await store.set_preference(user_id, "tool.wait", "never")
    assert "wait" not in names(await services.offer_tools(sent("Wait ten seconds, then go on")))


async def test_what_its_user_wants_to_be_asked_about_says_so(services, sent, store, user_id):
    await store.ensure_user(user_id)
    await store.set_preference(user_id, "tool.wait", "ask")
    offered = await services.offer_tools(sent("Wait ten seconds, then go on"))
    assert {tool.permission for tool in offered.tools if tool.name == "wait"} == {"ask"}


async def test_what_a_message_goes_on_from_tells_its_tools(services, sent):
    asked = HistoryItem(role="user", speaker=None, content="What time is it in Oslo?", sent_at=0)
    answered = HistoryItem(role="assistant", speaker=None, content="It is noon.", sent_at=0)
    message = sent("and in Tokyo?")
    assert "current_time" in names(await services.offer_tools(message, [asked, answered]))
    assert names(await services.offer_tools(message, [answered])) == []


async def test_the_tools_of_mcp_servers_are_selected_among(settings):
    time = McpServer(command=sys.executable, args=["-m", "mcp_server_time"])
    away = McpServer(url="http://127.0.0.1:9/mcp")
    changed = settings.model_copy(update={"mcp_servers": {"time": time, "away": away}})
    async with await build_services(changed) as services:
        async with asyncio.timeout(60):
            while services.registry.get("time_convert_time") is None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await services.selector.prepare()
        selection = await services.selector.select("convert 12:00 from Paris to Tokyo", 5)
        assert "time_convert_time" in [each.name for each in selection.scores]
