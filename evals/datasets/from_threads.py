"""Real threads as an eval set: conversations, requests for tools, and what is to be labelled.

Labels are what people did and nothing else: the memories that a reader said had helped, and the
tools whose calls succeeded. What nobody has judged goes into files of its own, to be labelled.
"""

import hashlib
import hmac
import json
import random
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.datasets.datasheet import write_datasheet
from evals.datasets.files import split_by_hash, words_of
from evals.datasets.folder import DATASHEET, TODO, new_folder
from evals.datasets.importer import TEST_SHARE
from evals.datasets.kinds import KINDS, Parts
from evals.datasets.records import CatalogueTool, DatasetError, Question, ToolQuery, Turn
from evals.datasets.redaction import KINDS as REDACTED
from evals.datasets.redaction import Redactor
from evals.datasets.tables import write_rows
from evals.datasets.threads import Answered, Readable, RealThread

WEEK_MS = 7 * 24 * 3600 * 1000
MOST_WEEKS = 104
TIMES = "times"
KEEPABLE = (*REDACTED, TIMES)
Todo = list[dict[str, Any]]


@dataclass
class ThreadSet:
    """What becomes of threads.

    Attributes:
        parts: labelled records by part; a kind of set has all its parts or none.
        todo: what is to be labelled, by the part that it is for.
        redactor: knows what was replaced.
        moved: whether times were.
    """

    parts: Parts
    todo: dict[str, Todo]
    redactor: Redactor
    moved: bool


@dataclass
class _Maker:
    """Makes records of one export, in which the same thing has the same name everywhere."""

    redactor: Redactor
    shift_ms: int
    catalogue: frozenset[str]
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    turns: list[Turn] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    queries: dict[str, ToolQuery] = field(default_factory=dict)
    questions_todo: Todo = field(default_factory=list)
    queries_todo: dict[str, dict[str, Any]] = field(default_factory=dict)

    def name(self, prefix: str, real: str) -> str:
        digest = hmac.new(self.salt, f"{prefix}\0{real}".encode(), hashlib.sha256)
        return f"{prefix}-{digest.hexdigest()[:16]}"

    def add_turns(self, thread: RealThread) -> None:
        self.turns += [
            Turn(
                id=self.name("message", message.id),
                thread=self.name("thread", thread.id),
                role=message.role,
                text=self.redactor.redact(message.content),
                sent_at=message.sent_at + self.shift_ms,
                speaker=self.redactor.name(message.speaker) if message.speaker else None,
                user=self.name("user", thread.user_id),
            )
            for message in thread.messages
        ]

    def add_question(self, thread: RealThread, each: Answered, sent: dict[str, int]) -> None:
        shown = [memory for memory in each.answer.shown if memory.id in sent]
        helpful = [
            real
            for real in each.helpful or ()
            if sent.get(real, each.asked.sent_at) < each.asked.sent_at
        ]
        question = Question(
            id=self.name("question", each.asked.id),
            thread=self.name("thread", thread.id),
            split=split_by_hash(thread.user_id, TEST_SHARE),
            category="feedback",
            text=self.redactor.redact(each.asked.content),
            evidence=tuple(self.name("message", real) for real in helpful),
            answer=self.redactor.redact(each.answer.content),
            asked_at=each.asked.sent_at + self.shift_ms,
        )
        if helpful:
            self.questions.append(question)
        elif shown:
            suggested = [
                {
                    "id": self.name("message", memory.id or ""),
                    "text": self.redactor.redact(memory.text),
                }
                for memory in shown
            ]
            record = question.model_dump(mode="json") | {"category": "labelled"}
            self.questions_todo.append(record | {"suggested": suggested})

    def add_query(self, each: Answered) -> None:
        text = self.redactor.redact(each.asked.content)
        key = " ".join(words_of(text))
        known = self.queries.get(key)
        tools = [*(known.tools if known else ()), *self.catalogue.intersection(each.tools)]
        query = ToolQuery(
            id=self.name("request", each.asked.id),
            split=split_by_hash(key, TEST_SHARE),
            text=text,
            tools=tuple(sorted(set(tools))),
        )
        if query.tools:
            self.queries[key] = known.model_copy(update={"tools": query.tools}) if known else query
        selection = each.answer.selection
        offered = [tool.name for tool in selection.candidates] if selection else []
        if not each.tools:
            self.queries_todo.setdefault(
                key, query.model_dump(mode="json", exclude_none=True) | {"offered": offered}
            )


def make_set(
    found: Readable,
    catalogue: Sequence[CatalogueTool],
    *,
    keep: Sequence[str] = (),
    region: str | None = None,
) -> ThreadSet:
    """Redact what was read and make a set of it.

    Ids become hashes under a salt that is thrown away. All times move by one whole number of weeks,
    so that what is apart stays apart and a Monday a Monday.

    Args:
        found: what was read.
        catalogue: the deployment's tools.
        keep: kinds that are left as they are; `times` leaves those.
        region: see `Redactor`.

    Raises:
        DatasetError: nothing was said in these threads.
    """
    if not any(thread.messages for thread in found.threads):
        raise DatasetError("there is no message in these threads to make a set of")
    speakers = {m.speaker for thread in found.threads for m in thread.messages if m.speaker}
    redactor = Redactor({*found.names, *speakers}, [kind for kind in keep if kind != TIMES], region)
    weeks = random.SystemRandom().choice([*range(-MOST_WEEKS, 0), *range(1, MOST_WEEKS + 1)])
    shift_ms = 0 if TIMES in keep else weeks * WEEK_MS
    maker = _Maker(redactor, shift_ms, frozenset(tool.name for tool in catalogue))
    sent: dict[str, dict[str, int]] = {}
    for thread in found.threads:
        times = sent.setdefault(thread.user_id, {})
        times |= {message.id: message.sent_at for message in thread.messages}
    for thread in found.threads:
        maker.add_turns(thread)
        for each in thread.answered:
            maker.add_question(thread, each, sent[thread.user_id])
            maker.add_query(each)
    parts: Parts = {"messages": maker.turns}
    if maker.questions:
        parts["questions"] = maker.questions
    if maker.queries:
        parts |= {"catalogue": list(catalogue), "queries": list(maker.queries.values())}
    unlabelled = [each for key, each in maker.queries_todo.items() if key not in maker.queries]
    todo = {"questions": maker.questions_todo, "queries": unlabelled}
    return ThreadSet(parts, todo, redactor, shift_ms != 0)


def write_set(made: ThreadSet, target: Path, *, force: bool = False) -> None:
    """Write the set's folder, with what is to be labelled and a datasheet beside it.

    Args:
        made: the set.
        target: the folder.
        force: replace a set that is there.
    """
    models = {part: model for kind in KINDS.values() for part, model in kind.parts.items()}
    with new_folder(target, force) as folder:
        for part, records in made.parts.items():
            write_rows(folder / f"{part}.jsonl", models[part], records)
        for part, rows in made.todo.items():
            if rows:
                lines = (json.dumps(row, ensure_ascii=False) for row in rows)
                text = "".join(f"{line}\n" for line in lines)
                (folder / f"{part}{TODO}").write_text(text, "utf-8", newline="\n")
        for kind in KINDS.values():
            if kind.is_in(folder):
                kind.read(folder)
        write_datasheet(folder / DATASHEET, target.name, _sections(made))


def _sections(made: ThreadSet) -> dict[str, str]:
    splits = Counter(
        f"{part} {record.split}"
        for part in ("questions", "queries")
        for record in made.parts.get(part, ())
    )
    counts = {**{part: len(records) for part, records in made.parts.items()}}
    counts |= {f"{part} to be labelled": len(rows) for part, rows in made.todo.items()}
    replaced = ", ".join(
        f"{made.redactor.counts[kind]} × {kind} ({made.redactor.distinct[kind]} different)"
        for kind in REDACTED
        if made.redactor.counts[kind]
    )
    return {
        "Unreviewed": "Made from real threads by `harness data from-threads`; nobody has read it "
        "through. Read it before it goes anywhere: patterns find what has a form, not what a text "
        "gives away by its meaning.",
        "What": ", ".join(f"{count} {part}" for part, count in counts.items()) + ".",
        "Labels": "Evidence is the memories that a reader said had helped; others may hold the "
        "answer too. Tools are those whose calls succeeded, of those that were offered.",
        "Redaction": f"{replaced or 'nothing was found'}. Ids are hashes under a salt that was not "
        f"kept. Times {'moved by a whole number of weeks' if made.moved else 'are the real ones'}.",
        "Splits": "by hash, questions by their user and requests by their words: "
        + (", ".join(f"{count} {name}" for name, count in sorted(splits.items())) or "none yet")
        + ".",
        "Licence": "none: these are people's own words; not to be passed on without their consent.",
    }
