"""Conversations to be had over the running stack, and what their answers must be like.

A set is a folder with `cases.jsonl`, and `judge_examples.jsonl` where a judge of its rubrics is to
be held against labels. The split is a field of each case.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from evals.datasets.files import info_of, read_records, refuse_duplicates
from evals.datasets.records import DatasetError, DatasetInfo, Record, Split
from evals.scorers import AnyScorer, Rubric, Scorer
from harness.models import Status

CASES = "cases.jsonl"
JUDGE_EXAMPLES = "judge_examples.jsonl"


class Earlier(Record):
    """Something said before the case begins, in its own thread or in another one by that name."""

    role: Literal["user", "assistant"]
    text: str = Field(min_length=1)
    days_ago: float = Field(ge=0)
    thread: str | None = None


class Expectation(Record):
    """What an answer must be like.

    Attributes:
        status: how the message must end; else all scores are 0.
        scores: the rules that the answer is scored by, and rubrics for a judge.
        answer: a good answer in words, for judges that compare with one; no rule reads it.
    """

    status: Status = Status.COMPLETED
    scores: tuple[AnyScorer, ...] = Field(min_length=1)
    answer: str | None = None

    @property
    def rules(self) -> list[Scorer]:
        """Those that need no judge."""
        return [each for each in self.scores if isinstance(each, Scorer)]

    @property
    def rubrics(self) -> list[str]:
        """What a judge is asked."""
        return [each.rubric for each in self.scores if isinstance(each, Rubric)]


class CaseMessage(Record):
    """A message that is sent, what its user replies when asked, and what must come of it.

    Attributes:
        reply: to a question; to an approval, what begins with y approves.
    """

    text: str = Field(min_length=1)
    reply: str = "Yes."
    expect: Expectation


class PipelineCase(Record):
    """A conversation of a user nobody else is, in a thread of its own.

    Attributes:
        earlier: what was said before, in order; it is indexed as memory.
        preferences: of the user, by key.
        files: texts by path in the workspace, all in one folder that no other case has.
        messages: sent one after the other.
    """

    id: str = Field(pattern=r"^[\w.-]+$")
    split: Split
    category: str = Field(min_length=1)
    earlier: tuple[Earlier, ...] = ()
    preferences: dict[str, str] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    messages: tuple[CaseMessage, ...] = Field(min_length=1)

    @field_validator("files")
    @classmethod
    def _plain_paths(cls, files: dict[str, str]) -> dict[str, str]:
        for path in files:
            parts = path.split("/")
            if len(parts) < 2 or any(not part or part[0] == "." for part in parts):
                raise ValueError(f"{path!r} is no FOLDER/FILE without hidden parts")
        return files

    @model_validator(mode="after")
    def _one_folder(self) -> Self:
        folders = {path.split("/")[0] for path in self.files}
        if len(folders) > 1:
            raise ValueError(f"files are in {', '.join(sorted(folders))}; a case has one folder")
        return self

    @property
    def folder(self) -> str | None:
        """Its folder of the workspace, if it has files."""
        return next((path.split("/")[0] for path in self.files), None)


class JudgeExample(Record):
    """An answer that a person has judged: whether the rubric is true of it."""

    id: str
    rubric: str = Field(min_length=1)
    question: str
    answer: str
    met: bool


class PipelineSet(Record):
    """Cases of one split, and the labelled examples that judges are held against."""

    info: DatasetInfo
    cases: tuple[PipelineCase, ...]
    judge_examples: tuple[JudgeExample, ...] = ()


def read_pipeline(folder: Path) -> PipelineSet:
    """Read a set whole.

    Raises:
        DatasetError: malformed, or two cases share a folder of the workspace.
    """
    path = folder / CASES
    cases = read_records(path, PipelineCase)
    refuse_duplicates(path, [case.id for case in cases])
    owner: dict[str, str] = {}
    for case in cases:
        if case.folder is not None and owner.setdefault(case.folder, case.id) != case.id:
            raise DatasetError(
                f"{path}: cases {owner[case.folder]!r} and {case.id!r} share the folder "
                f"{case.folder!r}; give each its own"
            )
    labelled = folder / JUDGE_EXAMPLES
    examples = read_records(labelled, JudgeExample) if labelled.is_file() else []
    refuse_duplicates(labelled, [example.id for example in examples])
    files = [CASES, *([JUDGE_EXAMPLES] if examples else [])]
    return PipelineSet(
        info=info_of(folder.name, folder, files),
        cases=tuple(cases),
        judge_examples=tuple(examples),
    )
