"""The `send` scenario: messages arrive on a schedule, each is followed until it is finished.

Locust loads this file in its own process. One dispatching user starts a greenlet per arrival, so
the offered rate does not depend on how fast the answers come.
"""

import itertools
import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import gevent
from gevent.pool import Group
from locust import FastHttpUser, task

from loadtest.arrivals import schedule
from loadtest.follower import Follower
from loadtest.plan import LoadPlan, LoadResult, LoadUser, Sample

PLAN = LoadPlan.model_validate_json(Path(os.environ["HARNESS_LOAD_PLAN"]).read_text())
FINISHED = ("completed", "failed", "cancelled")


def _ms_since(due: float) -> float:
    return (time.perf_counter() - due) * 1000


class Dispatcher(FastHttpUser):
    """Sends every message of the plan when it is due."""

    host = PLAN.api_url
    # Locust's default of 10 would silently turn the open loop into a closed one.
    concurrency = 10_000
    connection_timeout = 30.0
    network_timeout = 60.0

    @task
    def run_plan(self) -> None:
        """Run the whole plan once and stop Locust."""
        followers = [Follower(PLAN.convex_url, user.token) for user in PLAN.users]
        due_times = schedule(PLAN.rate, PLAN.duration_s, PLAN.arrivals, PLAN.seed)
        senders = list(zip(itertools.cycle(_lanes()), due_times, strict=False))
        samples = [Sample(due_s=due) for due in due_times]
        group = Group()
        started_at_ms, start = time.time_ns() // 1_000_000, time.perf_counter()
        progress = gevent.spawn(_report_progress, samples)
        for number, (((user_index, thread_id), due), sample) in enumerate(
            zip(senders, samples, strict=True)
        ):
            gevent.sleep(max(0.0, start + due - time.perf_counter()))
            text = PLAN.texts[number % len(PLAN.texts)]
            group.spawn(
                self._send, sample, start + due, thread_id, followers[user_index],
                PLAN.users[user_index], text,
            )  # fmt: skip
        group.join()
        _drain(samples, start + PLAN.duration_s + PLAN.drain_s)
        progress.kill()
        result = LoadResult(
            started_at_ms=started_at_ms, elapsed_s=time.perf_counter() - start, samples=samples
        )
        PLAN.result_file.write_text(result.model_dump_json())
        for follower in followers:
            follower.close()
        self.environment.runner.quit()

    def _send(
        self,
        sample: Sample,
        due: float,
        thread_id: str,
        follower: Follower,
        user: LoadUser,
        text: str,
    ) -> None:
        sample.lag_ms, sample.status = _ms_since(due), "sent"
        with self.client.post(
            "/api/messages",
            json={
                "thread_id": thread_id,
                "text": text,
                "idempotency_key": uuid.uuid4().hex,
                "model": PLAN.model,
            },
            headers={"Authorization": f"Bearer {user.token}"},
            catch_response=True,
        ) as response:
            if response.status_code != 202:
                sample.status = "refused"
                sample.error = f"HTTP {response.status_code}: {(response.text or '')[:200]}"
                response.failure(sample.error)
                return
            sample.ack_ms = _ms_since(due)
            sample.status = "acked"
            sample.message_key = response.json()["message_key"]
        _follow(sample, due, follower)


def _lanes() -> list[tuple[int, str]]:
    """Every (user, thread), thread by thread, so that neighbours in time share no user."""
    per_thread = zip(*(user.threads for user in PLAN.users), strict=True)
    return [(index, thread) for threads in per_thread for index, thread in enumerate(threads)]


def _follow(sample: Sample, due: float, follower: Follower) -> None:
    query: list[int] = []

    def on_update(view: dict[str, Any]) -> None:
        if sample.visible_ms is None and (view["deltas"] or view["content"]):
            sample.visible_ms = _ms_since(due)
        if view["status"] in FINISHED and sample.completed_ms is None:
            sample.completed_ms = _ms_since(due)
            sample.status = view["status"]
            if view.get("error"):
                sample.error = view["error"]["message"]
            if query:
                gevent.spawn(follower.forget, query[0])

    query.append(
        follower.follow(
            "messages:stream", {"messageKey": sample.message_key, "after": -1}, on_update
        )
    )


def _drain(samples: list[Sample], until: float) -> None:
    while time.perf_counter() < until and any(s.status in ("sent", "acked") for s in samples):
        gevent.sleep(0.05)


def _report_progress(samples: list[Sample]) -> None:
    while True:
        counts = {
            "sent": sum(s.status != "unsent" for s in samples),
            "finished": sum(s.completed_ms is not None for s in samples),
            "refused": sum(s.status == "refused" for s in samples),
        }
        sys.stdout.write(json.dumps(counts) + "\n")
        sys.stdout.flush()
        gevent.sleep(0.5)
