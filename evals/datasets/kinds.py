"""The kinds of sets, and the parts of each in the project's own format.

A set is a folder with one JSONL file for each part. A folder may hold a set of every kind.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.datasets.cases import JudgeExample, PipelineCase, PipelineSet, read_pipeline
from evals.datasets.files import asked_words, words_of
from evals.datasets.own import read_calls, read_conversations, read_tools
from evals.datasets.records import (
    CallCase,
    CallSet,
    CatalogueTool,
    ConversationSet,
    DatasetError,
    Question,
    Record,
    ToolQuery,
    ToolSet,
    Turn,
)

AnySet = ConversationSet | ToolSet | CallSet | PipelineSet
Parts = dict[str, list[Any]]  # records by the part's name


@dataclass(frozen=True)
class Kind:
    """A kind of set.

    Attributes:
        name: as people know it.
        set_type: what a set of it is read as.
        parts: the record of each part; the last one has the samples.
        optional: parts that a set may be without.
        read: reads a folder.
        parts_of: a set's records by part.
        split_keys: given the parts before the samples, what a sample's split hangs on: samples
            that share it are never on two sides.
    """

    name: str
    set_type: type[AnySet]
    parts: dict[str, type[Record]]
    read: Callable[[Path], AnySet]
    parts_of: Callable[[Any], Parts]
    split_keys: Callable[[Parts], Callable[[Any], str]]
    optional: frozenset[str] = frozenset()

    @property
    def samples(self) -> str:
        """The part that is measured on."""
        return list(self.parts)[-1]

    @property
    def needed(self) -> list[str]:
        """The parts without which there is no set."""
        return [part for part in self.parts if part not in self.optional]

    def is_in(self, folder: Path) -> bool:
        """Whether a folder holds a set of this kind."""
        return all((folder / f"{part}.jsonl").is_file() for part in self.needed)

    def refuse_mixed(self, parts: Parts) -> None:
        """Refuse samples of two splits that share what must be on one side.

        Raises:
            DatasetError: there are such samples.
        """
        key_of = self.split_keys(parts)
        first: dict[str, Any] = {}
        for sample in parts[self.samples]:
            other: Any = first.setdefault(key_of(sample), sample)
            if other.split != sample.split:
                raise DatasetError(
                    f"{self.samples}: {other.id!r} is of the split {other.split} and {sample.id!r} "
                    f"of {sample.split}, though they share {_SHARED[self.name]}; what is tuned on "
                    "must not be reported on: give both the same split, or none to have all made"
                )


def _conversation_parts(data: ConversationSet) -> Parts:
    messages = [turn for turns in data.threads.values() for turn in turns]
    return {"messages": messages, "questions": list(data.questions)}


def _pipeline_parts(data: PipelineSet) -> Parts:
    labelled = {"judge_examples": list(data.judge_examples)} if data.judge_examples else {}
    return {**labelled, "cases": list(data.cases)}


def _by_owner(parts: Parts) -> Callable[[Question], str]:
    user_of = {turn.thread: turn.user or turn.thread for turn in parts["messages"]}
    return lambda question: user_of.get(question.thread, question.thread)


def _by_words(_parts: Parts) -> Callable[[ToolQuery], str]:
    return lambda query: " ".join(words_of(query.text))


def _by_what_is_asked(_parts: Parts) -> Callable[[CallCase], str]:
    return lambda case: asked_words(case.question)


def _by_messages(_parts: Parts) -> Callable[[PipelineCase], str]:
    return lambda case: " ".join(words_of(" ".join(each.text for each in case.messages)))


_SHARED = {
    "conversations": "a thread or its user",
    "tools": "their words",
    "calls": "their words",
    "pipeline": "their words",
}

KINDS = {
    "conversations": Kind(
        "conversations",
        ConversationSet,
        {"messages": Turn, "questions": Question},
        read_conversations,
        _conversation_parts,
        _by_owner,
    ),
    "tools": Kind(
        "tools",
        ToolSet,
        {"catalogue": CatalogueTool, "queries": ToolQuery},
        read_tools,
        lambda data: {"catalogue": list(data.tools), "queries": list(data.queries)},
        _by_words,
    ),
    "calls": Kind(
        "calls",
        CallSet,
        {"calls": CallCase},
        read_calls,
        lambda data: {"calls": list(data.cases)},
        _by_what_is_asked,
    ),
    "pipeline": Kind(
        "pipeline",
        PipelineSet,
        {"judge_examples": JudgeExample, "cases": PipelineCase},
        read_pipeline,
        _pipeline_parts,
        _by_messages,
        frozenset({"judge_examples"}),
    ),
}


def kind_of(data: AnySet) -> Kind:
    """The kind of a set that was read."""
    return next(kind for kind in KINDS.values() if isinstance(data, kind.set_type))
