"""LoCoMo: long conversations of two people in sittings, with questions and their evidence.

Source: Maharana et al., Evaluating Very Long-Term Conversational Memory of LLM Agents, ACL 2024;
https://github.com/snap-research/locomo. A file is a list of samples as in `locomo10.json`; every
`locomo*.json` of the folder is read. The split is by conversation.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.datasets.files import info_of, read_json, refuse_duplicates
from evals.datasets.records import ConversationSet, DatasetError, Question, Turn

PATTERN = "locomo*.json"
TUNE = {"conv-26", "conv-30", "conv-41", "conv-42", "conv-43"}
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
TURN_GAP_MS = 30_000  # the set dates sittings only; their turns follow one another at this distance
_SITTING = re.compile(r"session_(\d+)")
_EVIDENCE = re.compile(r"D:?(\d+):(\d+)")


def read_locomo(folder: Path) -> ConversationSet:
    """Read every conversation; questions without evidence are left out and counted.

    Raises:
        DatasetError: a file is not in the format.
    """
    files = sorted(folder.glob(PATTERN))
    threads: dict[str, tuple[Turn, ...]] = {}
    questions: list[Question] = []
    left_out = 0
    for path in files:
        try:
            samples = read_json(path)
            refuse_duplicates(path, [*threads, *(sample["sample_id"] for sample in samples)])
            for sample in samples:
                turns = _turns(sample)
                asked = _questions(sample, {turn.id for turn in turns})
                threads[sample["sample_id"]] = turns
                questions += asked
                left_out += len(sample["qa"]) - len(asked)
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{path}: not in LoCoMo's format: {error!r}") from None
    return ConversationSet(
        info=info_of(
            "locomo",
            folder,
            [path.name for path in files],
            conversations=len(threads),
            left_out_without_evidence=left_out,
        ),
        threads=threads,
        questions=tuple(questions),
    )


def _turns(sample: dict[str, Any]) -> tuple[Turn, ...]:
    conversation = sample["conversation"]
    sittings = sorted(int(found[1]) for key in conversation if (found := _SITTING.fullmatch(key)))
    turns: list[Turn] = []
    for number in sittings:
        stamp = conversation[f"session_{number}_date_time"]
        parsed = datetime.strptime(stamp, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
        sent_at = int(parsed.timestamp()) * 1000
        for turn in conversation[f"session_{number}"]:
            caption = turn.get("blip_caption")
            turns.append(
                Turn(
                    id=f"{sample['sample_id']}/{turn['dia_id']}",
                    thread=sample["sample_id"],
                    role="user" if turn["speaker"] == conversation["speaker_a"] else "assistant",
                    speaker=turn["speaker"],
                    text=f"{turn['text']} [{caption}]" if caption else turn["text"],
                    sent_at=sent_at,
                )
            )
            sent_at += TURN_GAP_MS
    return tuple(turns)


def _questions(sample: dict[str, Any], known: set[str]) -> list[Question]:
    thread = sample["sample_id"]
    asked: list[Question] = []
    for number, item in enumerate(sample["qa"], 1):
        named = (
            f"{thread}/D{int(sitting)}:{int(turn)}"
            for sitting, turn in _EVIDENCE.findall(" ".join(item["evidence"]))
        )
        evidence = tuple(dict.fromkeys(each for each in named if each in known))
        if evidence:
            asked.append(
                Question(
                    id=f"{thread}/q{number:03d}",
                    thread=thread,
                    split="tune" if thread in TUNE else "test",
                    category=CATEGORIES[item["category"]],
                    text=item["question"],
                    evidence=evidence,
                    answer=str(item.get("answer", "")),
                )
            )
    return asked
