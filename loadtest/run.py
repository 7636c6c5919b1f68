"""One load run: users and threads are made, Locust runs the scenario, its samples come back."""

import asyncio
import json
import os
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

from harness.errors import HarnessError
from harness.keys import mint_token
from harness.settings import SIMULATED_MODEL, Settings
from harness.store import Store
from loadtest.arrivals import Arrivals
from loadtest.plan import LoadPlan, LoadResult, LoadUser

SCENARIOS = Path(__file__).parent / "scenarios"
TEXTS = [
    "Summarise what we agreed on for the move.",
    "How long do the seedlings need before they go outside?",
    "Tell me something about the history of bridges.",
    "What would be a good order for the three errands?",
    "Explain the difference between the two tariffs again.",
]
Progress = Callable[[dict[str, int]], None]


def scenarios() -> list[str]:
    """The scenarios' names."""
    return sorted(file.stem for file in SCENARIOS.glob("*.py") if not file.stem.startswith("_"))


def find_scenario(name: str) -> Path:
    """The file of a scenario.

    Raises:
        HarnessError: there is none of this name.
    """
    if name not in scenarios():
        raise HarnessError(f"no scenario {name!r}; there are: {', '.join(scenarios())}")
    return SCENARIOS / f"{name}.py"


async def make_users(settings: Settings, count: int, threads: int, ttl_s: int) -> list[LoadUser]:
    """Make fresh users with threads of their own.

    Args:
        settings: of the stack the load goes to.
        count: how many users.
        threads: how many threads each.
        ttl_s: how many seconds their tokens must live.
    """

    async def make(store: Store) -> LoadUser:
        user_id = f"user_load_{uuid.uuid4().hex[:16]}"
        ids = [await store.create_thread(user_id, f"load {number}") for number in range(threads)]
        return LoadUser(
            user_id=user_id, token=mint_token(settings, user_id, ttl_s=ttl_s), threads=ids
        )

    key = settings.convex_deploy_key
    async with Store(settings.convex_url, key.get_secret_value() if key else "") as store:
        return [await make(store) for _ in range(count)]


async def run_load(
    settings: Settings,
    scenario: str,
    *,
    rate: float,
    duration_s: float,
    arrivals: Arrivals = "poisson",
    seed: int = 0,
    users: int = 20,
    threads: int = 5,
    model: str = SIMULATED_MODEL,
    drain_s: float = 30.0,
    on_progress: Progress | None = None,
) -> LoadResult:
    """Run a scenario against a running stack.

    Args:
        settings: of the stack.
        scenario: one of `scenarios()`.
        rate: mean messages a second.
        duration_s: seconds during which messages are sent.
        arrivals: `poisson` or `constant`.
        seed: of the arrivals.
        users: how many users send.
        threads: how many threads each user has; messages of a thread are answered in order.
        model: which model answers.
        drain_s: how many seconds to wait for the last answers.
        on_progress: called about twice a second with counts of sent, finished and refused.

    Raises:
        HarnessError: for an unknown scenario, or when Locust ends without a result.
    """
    file = find_scenario(scenario)
    ttl_s = int(duration_s + drain_s) + 120
    with tempfile.TemporaryDirectory(prefix="harness-load-") as folder:
        plan = LoadPlan(
            scenario=scenario,
            api_url=settings.api_url,
            convex_url=settings.convex_url,
            model=model,
            rate=rate,
            duration_s=duration_s,
            arrivals=arrivals,
            seed=seed,
            drain_s=drain_s,
            users=await make_users(settings, users, threads, ttl_s),
            texts=TEXTS,
            result_file=Path(folder) / "result.json",
        )
        plan_file = Path(folder) / "plan.json"
        plan_file.write_text(plan.model_dump_json())
        plan_file.chmod(0o600)  # it holds tokens
        await _run_locust(file, plan_file, on_progress)
        if not plan.result_file.exists():
            raise HarnessError("Locust ended without a result; its messages are above")
        return LoadResult.model_validate_json(plan.result_file.read_text())


async def _run_locust(file: Path, plan_file: Path, on_progress: Progress | None) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "locust", "-f", str(file), "--headless", "--only-summary"),
        *("--users", "1", "--spawn-rate", "1", "--loglevel", "ERROR"),
        env=os.environ | {"HARNESS_LOAD_PLAN": str(plan_file)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(process.stderr.read())
    try:
        async for line in process.stdout:
            if on_progress is not None and line.startswith(b"{"):
                on_progress(json.loads(line))
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    told = (await errors).decode(errors="replace").strip()
    if process.returncode != 0 and "Traceback" in told:
        raise HarnessError(f"the load generator failed: {told.splitlines()[-1]}")
