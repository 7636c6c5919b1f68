"""Has one case's conversation as a fresh user, and scores its answers."""

import asyncio
import shutil
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evals.datasets.cases import CaseMessage, Earlier, PipelineCase
from evals.exchange import Exchange, exchange_message
from evals.journal import Row
from evals.judge import Judge, JudgeFailed
from evals.recorded import Recorded
from evals.scorers import RULES, Outcome, Scorer, Tools
from evals.threads import write_thread
from harness.client import ChatClient
from harness.models import ToolCall
from harness.services import Services
from harness.store import ImportedMessage

DAY_MS = 24 * 3600 * 1000
SECOND_MS = 1000
SCORES = {name: f"score_{name}" for name in RULES}  # the rows' columns
RECORD = "record"  # what the pipeline kept about the message; of the journal, not of the rows
UNMEASURED = (
    "message_key", "model", "ack_ms", "first_delta_ms", "completed_ms", "prompt_tokens",
    "completion_tokens", "cost", "turns", "judge_error", RECORD,
)  # fmt: skip


@dataclass
class CaseRun:
    """Where cases are run.

    Attributes:
        services: that work on the stack.
        judge: of rubrics; None leaves them out.
        workspace: the folder that the stack's file tools see; None where cases have no files.
        message_s: seconds that a message may take.
        users: everybody that was made for a case.
    """

    services: Services
    judge: Judge | None
    workspace: Path | None
    message_s: float
    users: list[str] = field(default_factory=list)
    _folders: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def run(self, case: PipelineCase, _seed: int) -> Row:
        """Have the conversation and score it: a row that holds one row a message."""
        # Repeats of a case write to the same folder.
        async with self._folders[case.folder or case.id]:
            self.place_files(case)
            rows = await self._converse(case)
        return {"cost": sum(row["cost"] or 0.0 for row in rows), "messages": rows}

    def failed(self, case: PipelineCase) -> Row:
        """The rows of a case that could not be run: each of its messages failed."""
        rows = [self._unanswered(case, index) for index in range(len(case.messages))]
        return {"cost": 0.0, "messages": rows}

    def place_files(self, case: PipelineCase) -> None:
        """Put the case's files into the workspace, and nothing else into their folder."""
        if self.workspace is None or case.folder is None:
            return
        shutil.rmtree(self.workspace / case.folder, ignore_errors=True)
        for path, text in case.files.items():
            file = self.workspace / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")

    async def _converse(self, case: PipelineCase) -> list[Row]:
        user_id = f"user_eval_{uuid.uuid4().hex[:16]}"
        self.users.append(user_id)
        thread_id = await self._prepare(case, user_id)
        rows: list[Row] = []
        settings = self.services.settings
        async with ChatClient(settings, user_id) as client, Recorded(settings) as recorded:
            for index, message in enumerate(case.messages):
                if rows and rows[-1]["completed_ms"] is None:
                    row = self._unanswered(case, index)
                    rows.append(row | {"error": "a message before it had no end"})
                    continue
                exchange = await self._send(client, recorded, thread_id, message)
                rows.append(await self._scored(case, index, exchange) | {"thread_id": thread_id})
        return rows

    async def _prepare(self, case: PipelineCase, user_id: str) -> str:
        """Make the user with preferences and what was said earlier; the thread's id."""
        store = self.services.store
        await store.ensure_user(user_id, "A user of an eval")
        for key, value in case.preferences.items():
            await store.set_preference(user_id, key, value)
        here = await store.create_thread(user_id, case.id)
        for title, said in _by_thread(case.earlier).items():
            thread_id = here if title is None else await store.create_thread(user_id, title)
            await write_thread(self.services, user_id, thread_id, _imported(said))
        return here

    async def _send(
        self, client: ChatClient, recorded: Recorded, thread_id: str, message: CaseMessage
    ) -> Exchange:
        return await exchange_message(
            client,
            recorded,
            thread_id,
            message.text,
            reply=lambda _question: message.reply,
            timeout_s=self.message_s,
        )

    async def _scored(self, case: PipelineCase, index: int, exchange: Exchange) -> Row:
        expect = case.messages[index].expect
        row = self._unanswered(case, index) | _measures(exchange)
        if exchange.status is not expect.status:
            why = exchange.error or f"expected {expect.status.value}"
            return row | {"error": f"ended {exchange.status.value}: {why}"}
        outcome = Outcome(exchange.text, exchange.answer, exchange.calls, self.workspace)
        scored = [(rule, rule.score(outcome)) for rule in expect.rules]
        row |= _means(scored) | {"completed": 1.0}
        if self.judge is not None and expect.rubrics:
            row |= await _judged(self.judge, expect.rubrics, outcome)
        return row

    def _unanswered(self, case: PipelineCase, index: int) -> Row:
        """The row of a message that has no answer: it fails all that it is scored by."""
        message = case.messages[index]
        expect = message.expect
        rubric = 0.0 if self.judge is not None and expect.rubrics else None
        return {
            "sample": f"{case.id}/{index + 1}",
            "thread": case.id,
            "case": case.id,
            "category": case.category,
            "message": index + 1,
            "thread_id": None,
            "question": message.text,
            "answer": "",
            "expected": expect.answer,
            "rules": expect.model_dump_json(by_alias=True, include={"status", "scores"}),
            "calls": [],
            "offered": [],
            "status": None,
            "error": None,
            "completed": 0.0,
            **_means([(rule, 0.0) for rule in expect.rules]),
            "score_rubric": rubric,
            "rubric_reasons": [],
            **dict.fromkeys(UNMEASURED),
        }


def _by_thread(earlier: Sequence[Earlier]) -> dict[str | None, list[Earlier]]:
    threads: dict[str | None, list[Earlier]] = {}
    for said in earlier:
        threads.setdefault(said.thread, []).append(said)
    return threads


def _imported(said: Sequence[Earlier]) -> list[ImportedMessage]:
    now = time.time_ns() // 1_000_000
    return [
        ImportedMessage(
            role=each.role,
            content=each.text,
            sent_at=round(now - each.days_ago * DAY_MS) + index * SECOND_MS,
        )
        for index, each in enumerate(said)
    ]


def _measures(exchange: Exchange) -> Row:
    usage, props = exchange.usage, exchange.record.props
    return {
        "message_key": exchange.message_key,
        "status": exchange.status.value,
        "model": exchange.model,
        "answer": exchange.answer,
        "calls": [_call(call) for call in exchange.calls],
        "offered": exchange.offered,
        "ack_ms": exchange.ack_ms,
        "first_delta_ms": exchange.first_delta_ms,
        "completed_ms": exchange.completed_ms,
        "prompt_tokens": None if usage is None else usage.prompt_tokens,
        "completion_tokens": None if usage is None else usage.completion_tokens,
        "cost": props.get("cost"),
        "turns": props.get("turns"),
        RECORD: exchange.record.model_dump(mode="json"),
    }


def _call(call: ToolCall) -> dict[str, str | None]:
    return {
        "name": call.name,
        "arguments": call.arguments,
        "status": call.status.value,
        "result": call.result,
        "error": call.error,
    }


def _means(scored: Sequence[tuple[Scorer, float]]) -> Row:
    """The mean of all rules, of those that want a tool called, and of each kind."""
    columns = {
        "score": [value for _, value in scored],
        "tool_success": [value for rule, value in scored if isinstance(rule, Tools) and rule.names],
    }
    for name, column in SCORES.items():
        columns[column] = [value for rule, value in scored if type(rule) is RULES[name]]
    return {
        column: sum(values) / len(values) if values else None for column, values in columns.items()
    }


async def _judged(judge: Judge, rubrics: Sequence[str], outcome: Outcome) -> Row:
    """A judge's silence is no fault of the answer: it leaves the score out, and is counted."""
    try:
        verdicts = [
            await judge.verdict(rubric, outcome.question, outcome.answer) for rubric in rubrics
        ]
    except JudgeFailed as failed:
        return {"score_rubric": None, "judge_error": str(failed)}
    return {
        "score_rubric": sum(verdict.met for verdict in verdicts) / len(verdicts),
        "rubric_reasons": [verdict.reason for verdict in verdicts],
    }
