import asyncio

from harness.settings import McpServer
from harness.tools.mcp.session import Pace


async def test_a_server_on_a_socket_is_used(follow, over_http):
    connected = await follow(web=McpServer(url=over_http.url))
    assert (await connected.call("web_look", at="sea")).value == {"result": "saw sea"}


async def test_its_requests_carry_the_headers_of_the_settings(follow, over_http):
    server = McpServer(url=over_http.url, headers={"Authorization": "Bearer hunter2"})
    connected = await follow(web=server)
    result = await connected.call("web_header", name="authorization")
    assert result.value == {"result": "Bearer hunter2"}


async def test_calls_run_beside_one_another(follow, over_http):
    connected = await follow(web=McpServer(url=over_http.url))
    slow = asyncio.create_task(connected.call("web_sleep", seconds=600))
    await asyncio.gather(*(connected.call("web_look", at=str(n)) for n in range(5)))
    assert not slow.done()
    slow.cancel()


async def test_a_server_that_is_killed_takes_its_tools_along_until_it_is_back(
    follow, over_http, noted
):
    connected = await follow(web=McpServer(url=over_http.url))
    assert "web_look" in connected.registry.names()
    over_http.kill()
    await connected.has()
    over_http.start()
    await connected.until(lambda: "web_look" in connected.registry.names())
    assert (await connected.call("web_look", at="sea")).ok


async def test_a_call_that_its_server_dies_in_is_an_error_and_not_sent_again(
    follow, over_http, noted
):
    connected = await follow(web=McpServer(url=over_http.url))
    result = await connected.call("web_die", word="now")
    assert not result.ok
    over_http.kill()
    over_http.start()
    await connected.until(lambda: "web_look" in connected.registry.names())
    assert noted("die now") == 1


async def test_a_server_that_starts_later_joins(follow, over_http):
    over_http.kill()
    connected = await follow(web=McpServer(url=over_http.url))
    assert connected.registry.names() == []
    over_http.start()
    await connected.until(lambda: "web_look" in connected.registry.names())


async def test_what_is_no_mcp_server_is_away(follow, serve, caplog):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"<html>hello</html>"})

    url = f"{serve(app).url}/?token=hunter2"
    connected = await follow(page=McpServer(url=url), pace=Pace(first_s=60))
    await connected.has()
    assert "the MCP server page is away" in caplog.text
    assert "hunter2" not in caplog.text
