"""Which functions an event starts."""

import inngest
import pytest


async def nothing(ctx):
    return None


def add(local, fn_id, *triggers):
    found = [inngest.TriggerEvent(event=event) for event in triggers]
    local.functions.append(local.client.create_function(fn_id=fn_id, trigger=found)(nothing))


async def test_wildcards_match_after_a_slash_and_after_a_dot(local):
    add(local, "all", "app/*")
    add(local, "users", "app/user.*")
    add(local, "one", "app/user.created")
    await local.serve()

    async def started(name):
        event = await local.send(name)
        return sorted(run["function_id"] for run in await local.runs(event))

    assert await started("app/user.created") == ["app-all", "app-one", "app-users"]
    assert await started("app/user.deleted") == ["app-all", "app-users"]
    assert await started("app/users") == ["app-all"]
    assert await started("app/blog.post.published") == ["app-all"]
    assert await started("application/user.created") == []


async def test_a_function_that_two_triggers_match_starts_once(local):
    add(local, "both", "app/*", "app/user.created", "app/user.*")
    await local.serve()
    assert len(await local.runs(await local.send("app/user.created"))) == 1


async def test_the_expression_of_a_wildcard_trigger_counts(local):
    local.function("picky", "app/*", expression="event.data.n > 1")(nothing)
    await local.serve()
    counts = [len(await local.runs(await local.send("app/a", {"n": n}))) for n in (1, 2)]
    assert counts == [0, 1]


@pytest.mark.parametrize("name", ["*", "app*", "app/*.created", "*/created"])
async def test_a_wildcard_that_could_match_nothing_is_refused(local, name):
    add(local, "wild", name)
    local.start_engine()
    local.start_app()
    assert "app-wild is triggered by" in (await local.register())["error"]


async def test_more_than_ten_triggers_are_refused(local):
    add(local, "many", *(f"app/{n}" for n in range(11)))
    local.start_engine()
    local.start_app()
    assert "11 triggers" in (await local.register())["error"]
