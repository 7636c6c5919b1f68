"""LongMemEval: questions about a user's chats with an assistant, each with a history of its own.

Source: Wu et al., LongMemEval, ICLR 2025; https://github.com/xiaowu0162/LongMemEval. One file is
read, the first that is there of `FILES`. Evidence is the turns marked `has_answer`; questions
without any, and those that cannot be answered (`_abs`), are left out of retrieval as in the paper.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.datasets.files import (
    first_there,
    info_of,
    read_json,
    refuse_duplicates,
    split_by_hash,
)
from evals.datasets.records import ConversationSet, DatasetError, Question, Turn

FILES = (
    "longmemeval_s_cleaned.json",
    "longmemeval_s.json",
    "longmemeval_oracle.json",
    "longmemeval_m_cleaned.json",
    "longmemeval_m.json",
)
TEST_SHARE = 1 / 2  # by the hash of the question's id
TURN_GAP_MS = 30_000  # the set dates sittings only; their turns follow one another at this distance


def read_longmemeval(folder: Path) -> ConversationSet:
    """Read every question with its history.

    Raises:
        DatasetError: the file is not in the format.
    """
    path = first_there(folder, FILES)
    threads: dict[str, tuple[Turn, ...]] = {}
    questions: list[Question] = []
    try:
        items = read_json(path)
        refuse_duplicates(path, [item["question_id"] for item in items])
        for item in items:
            turns, evidence = _history(item)
            if evidence and not item["question_id"].endswith("_abs"):
                threads[item["question_id"]] = turns
                questions.append(_question(item, evidence))
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: not in LongMemEval's format: {error!r}") from None
    return ConversationSet(
        info=info_of(
            "longmemeval", folder, [path.name], left_out_without_evidence=len(items) - len(threads)
        ),
        threads=threads,
        questions=tuple(questions),
    )


def _question(item: dict[str, Any], evidence: tuple[str, ...]) -> Question:
    return Question(
        id=item["question_id"],
        thread=item["question_id"],
        split=split_by_hash(item["question_id"], TEST_SHARE),
        category=item["question_type"],
        text=item["question"],
        evidence=evidence,
        answer=str(item["answer"]),
    )


def _history(item: dict[str, Any]) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
    """The turns in order of their sittings' dates, and the ids of those with the answer."""
    sittings = sorted(
        (
            (_milliseconds(date), place, sitting)
            for place, (date, sitting) in enumerate(
                zip(item["haystack_dates"], item["haystack_sessions"], strict=True)
            )
        ),
        key=lambda each: each[:2],
    )
    turns: list[Turn] = []
    evidence: list[str] = []
    for starts, place, sitting in sittings:
        sent_at = max(starts, turns[-1].sent_at + TURN_GAP_MS if turns else starts)
        for number, turn in enumerate(sitting):
            name = f"{item['question_id']}/{item['haystack_session_ids'][place]}-{place}:{number}"
            if turn["content"].strip():
                turns.append(
                    Turn(
                        id=name,
                        thread=item["question_id"],
                        role=turn["role"],
                        text=turn["content"],
                        sent_at=sent_at,
                    )
                )
                sent_at += TURN_GAP_MS
                evidence += [name] if turn.get("has_answer") else []
    return tuple(turns), tuple(evidence)


def _milliseconds(date: str) -> int:
    """Milliseconds UTC of a date such as `2023/05/20 (Sat) 02:21`."""
    day, _, hour = date.split()
    moment = datetime.strptime(f"{day} {hour}", "%Y/%m/%d %H:%M").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1000
