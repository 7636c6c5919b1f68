import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import harness
from harness.app import create_worker
from harness.errors import HarnessError
from harness.settings import Settings

SEND_WITHOUT_THE_OLD_FLOW = """
import asyncio, sys
from pathlib import Path
import httpx
import harness
from harness.app import create_api
from harness.settings import Settings

assert Path(harness.__file__).is_relative_to(Path.cwd())
settings = Settings()
thread, token = sys.argv[1:]

async def main():
    app = create_api(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            body = {"thread_id": thread, "text": "hello", "idempotency_key": "k"}
            headers = {"Authorization": f"Bearer {token}"}
            response = await client.post("/api/messages", json=body, headers=headers)
            print(response.status_code, response.json()["run"])

asyncio.run(main())
"""


def test_an_api_outside_ones_machine_wants_clerks_key(tmp_path):
    from harness.app import create_api

    with pytest.raises(HarnessError, match="CLERK_JWT_KEY"):
        create_api(Settings(home=tmp_path, env="production"))


async def test_deleting_the_old_flow_leaves_the_new_one(
    tmp_path, convex, inngest_engine, store, user_id, mint
):
    copy = tmp_path / "harness"
    unneeded = shutil.ignore_patterns("node_modules", "__pycache__", "convex")
    shutil.copytree(Path(harness.__file__).parent, copy, ignore=unneeded)
    (copy / "chat" / "inline.py").unlink(missing_ok=True)  # it may have been removed for good
    await store.set_flag("background-flow", enabled=False)
    try:
        thread = await store.create_thread(user_id, "t")
        environment = {
            "HARNESS_HOME": str(convex.settings.home),
            "CONVEX_URL": convex.url,
            "CONVEX_DEPLOY_KEY": convex.admin_key,
            "INNGEST_BASE_URL": inngest_engine.url,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SEND_WITHOUT_THE_OLD_FLOW, thread, mint(user_id)),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
        )
        out, _ = await process.communicate()
    finally:
        await store.set_flag("background-flow", enabled=True)
    assert out.split() == [b"202", b"pending"]


async def test_the_worker_serves_the_functions(convex, inngest_engine, serve):
    settings = convex.settings.model_copy(update={"inngest_base_url": inngest_engine.url})
    worker = serve(create_worker(settings))
    async with httpx.AsyncClient(base_url=worker.url, timeout=30) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        about = (await client.get("/api/inngest")).json()
        registered = await client.put("/api/inngest")
        metrics = (await client.get("/metrics")).text
    assert "harness_cache_lookups" in metrics
    assert about["function_count"] >= 1
    assert registered.status_code == 200
