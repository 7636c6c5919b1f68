"""Conversations that are had again with kept answers give the same rows, whatever the model says.

The model here never says a thing twice, so that only its kept answers can be what repeats.
"""

import asyncio
import io
import itertools
import json

import pytest
from rich.console import Console
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evals.answer_cache import AnswerCache, environment_at, upstream_of
from evals.answer_store import AnswerStore
from evals.datasets.cases import PipelineCase, PipelineSet
from evals.datasets.records import DatasetInfo
from evals.plan import Plan
from evals.tasks.pipeline import Conduct, evaluate_pipeline
from evals.tasks.pipeline_stack import SERVICES
from harness.llm.models import resolve_model
from harness.local.environment import without_ours
from harness.local.supervisor import Stack
from harness.services import build_services
from harness.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Of each run its own: ids, and what took time.
OWN = ["ack_ms", "first_delta_ms", "completed_ms", "thread_id", "message_key"]
CASES = tuple(
    PipelineCase.model_validate(
        {
            "id": name,
            "split": "test",
            "category": "some",
            "messages": [
                {"text": text, "expect": {"scores": [{"scorer": "contains", "all": ["word"]}]}}
                for text in (f"Say something of {name}.", "Say it in other words.")
            ],
        }
    )
    for name in ("boats", "bread")
)


class NeverTheSame:
    """A model whose every answer has another number."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    async def answer(self, _: Request) -> Response:
        said = {"delta": {"content": f"word {next(self._numbers)}"}, "finish_reason": None}
        ended = {"delta": {}, "finish_reason": "stop"}
        events = [{"id": "x", "choices": [{"index": 0, **each}]} for each in (said, ended)]
        lines = [*map(json.dumps, events), "[DONE]"]
        body = "".join(f"data: {line}\n\n" for line in lines)
        return Response(body, media_type="text/event-stream")


async def test_a_second_run_has_the_rows_of_the_first_with_answers_of_each_repeats_own(
    tmp_path_factory, serve
):
    model = NeverTheSame()
    data = PipelineSet(info=DatasetInfo(name="some", sha256="0" * 64, split="test"), cases=CASES)
    app = Starlette(routes=[Route("/v1/chat/completions", model.answer, methods=["POST"])])
    env = {"HARNESS_MODEL": "counting", "OPENAI_BASE_URL": f"{serve(app).url}/v1"}
    spec = resolve_model(None, Settings(model="counting", openai_base_url=env["OPENAI_BASE_URL"]))
    store = AnswerStore(tmp_path_factory.mktemp("answers"))
    async with AnswerCache(store, upstream_of(spec)) as answers:
        env |= environment_at(spec, answers.url)
        home = tmp_path_factory.mktemp("kept")
        async with (
            Stack(home, parts=SERVICES, env=env, environ=without_ours()) as stack,
            await build_services(stack.settings) as services,
        ):
            first, again = [
                await evaluate_pipeline(
                    services,
                    data,
                    console=Console(file=io.StringIO()),
                    plan=Plan(repeats=2),
                    conduct=Conduct(answers=answers),
                )
                for _ in range(2)
            ]
    await asyncio.sleep(0)  # lets what was closed last go
    assert first.rows["error"].null_count() == first.rows.height == 8
    assert first.rows["answer"].n_unique() == 8  # each message's own, and each repeat's
    assert again.rows.drop(OWN).equals(first.rows.drop(OWN))
    kept = again.document.figures["answers_kept"]
    assert kept.value > first.document.figures["answers_kept"].value
