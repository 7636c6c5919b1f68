"""The datasets by name: the project's own, public ones, and any folder in the own format."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from evals.datasets.bfcl import PATTERN, installed, read_bfcl
from evals.datasets.cases import CASES, PipelineSet, read_pipeline
from evals.datasets.files import folder_sha256
from evals.datasets.kinds import KINDS, AnySet
from evals.datasets.locomo import PATTERN as LOCOMO
from evals.datasets.locomo import read_locomo
from evals.datasets.longmemeval import FILES as LONGMEMEVAL
from evals.datasets.longmemeval import read_longmemeval
from evals.datasets.metatool import FILES as METATOOL_FILES
from evals.datasets.metatool import TWO_FILES as METATOOL_TWO_FILES
from evals.datasets.metatool import read_metatool, read_metatool_two
from evals.datasets.own import (
    CALL_FILES,
    CONVERSATION_FILES,
    TOOL_FILES,
    read_calls,
    read_conversations,
    read_tools,
)
from evals.datasets.records import (
    SPLITS,
    CallCase,
    CallSet,
    CatalogueTool,
    ConversationSet,
    DatasetError,
    DatasetInfo,
    Question,
    ToolQuery,
    ToolSet,
    Turn,
)
from evals.datasets.sealtools import CATALOGUE, PARTS, read_sealtools

__all__ = [
    "CALL_FILES", "CASES", "CONVERSATION_FILES", "OWN", "PUBLIC", "TOOL_FILES", "CallCase",
    "CallSet", "CatalogueTool", "ConversationSet", "DatasetError", "DatasetInfo", "PipelineSet",
    "Question", "ToolQuery", "ToolSet", "Turn", "folder_sha256", "load_calls",
    "load_conversations", "load_pipeline", "load_tools",
]  # fmt: skip

OWN = Path(__file__).parent
SetT = TypeVar("SetT", ConversationSet, ToolSet, CallSet)


@dataclass(frozen=True)
class Source(Generic[SetT]):
    """How a public set is read, and what is said where it is missing.

    Attributes:
        kind: the set that `read` makes.
        needs: files, each by its names or patterns, one of which must be there.
        per_tool: test requests a tool, at most, unless asked otherwise; 0 for all.
        folder: below a data directory; None for one by the set's own name.
        installed: where a package carries the files, if it is there.
    """

    kind: type[SetT]
    what: str
    licence: str
    address: str
    needs: tuple[tuple[str, ...], ...]
    read: Callable[[Path], SetT]
    per_tool: int = 0
    folder: str | None = None
    installed: Callable[[], Path | None] = lambda: None

    def find(self, name: str, data_dir: Path | None) -> Path | None:
        """The folder that holds all that is needed, below `data_dir` or installed."""
        places = (data_dir / (self.folder or name) if data_dir else None, self.installed())
        for place in places:
            if place is not None and all(_holds_one(place, names) for names in self.needs):
                return place
        return None

    def require(self, name: str, data_dir: Path | None) -> Path:
        """The same folder, or one line that says what is missing, its licence and its place.

        Raises:
            DatasetError: it is not there.
        """
        folder = self.find(name, data_dir)
        if folder is None:
            inside = self.folder or name
            place = data_dir / inside if data_dir else f"DIR/{inside} with --data-dir DIR"
            raise DatasetError(
                f"dataset {name!r} ({self.what}; {self.licence}) is not there; put "
                f"{', and '.join(' or '.join(names) for names in self.needs)} of {self.address} "
                f"into {place}"
            )
        return folder


def _holds_one(folder: Path, names: tuple[str, ...]) -> bool:
    return any(any(folder.glob(name)) for name in names)


PUBLIC: dict[str, "Source[ConversationSet] | Source[ToolSet] | Source[CallSet]"] = {
    "locomo": Source(
        ConversationSet,
        "long conversations of two people, questions with evidence",
        "CC BY-NC 4.0",
        "https://github.com/snap-research/locomo",
        ((LOCOMO,),),
        read_locomo,
    ),
    "longmemeval": Source(
        ConversationSet,
        "chats with an assistant, a history for each question",
        "MIT",
        "https://github.com/xiaowu0162/LongMemEval",
        (LONGMEMEVAL,),
        read_longmemeval,
    ),
    "metatool": Source(
        ToolSet,
        "requests for one of 199 plugins",
        "MIT",
        "https://github.com/HowieHwong/MetaTool",
        METATOOL_FILES,
        read_metatool,
        per_tool=12,
    ),
    "metatool-two": Source(
        ToolSet,
        "requests that need two of MetaTool's plugins",
        "MIT",
        "https://github.com/HowieHwong/MetaTool",
        METATOOL_TWO_FILES,
        read_metatool_two,
        folder="metatool",
    ),
    "seal-tools": Source(
        ToolSet,
        "requests that need some of 4,076 functions",
        "Apache-2.0",
        "https://github.com/fairyshine/Seal-Tools",
        ((CATALOGUE,), tuple(PARTS)),
        read_sealtools,
    ),
    "bfcl": Source(
        CallSet,
        "single-turn function calls of the Berkeley leaderboard, version 4",
        "Apache-2.0",
        "https://pypi.org/project/bfcl-eval",
        ((PATTERN,),),
        read_bfcl,
        installed=installed,
    ),
}


def find_dataset(name: str, files: tuple[str, ...], data_dir: Path | None = None) -> Path:
    """The folder of a set in the own format: below `data_dir`, else among the project's own.

    Args:
        name: the folder's name.
        files: the files it must hold.
        data_dir: holds one folder for each dataset.

    Raises:
        DatasetError: there is none, or a file of it is missing.
    """
    places = [place / name for place in (data_dir, OWN) if place is not None]
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None or not name:
        known = ", ".join(p.parent.name for p in sorted(OWN.glob(f"*/{files[0]}")))
        kinds = [each.set_type for each in KINDS.values() if f"{each.needed[0]}.jsonl" == files[0]]
        public = ", ".join(key for key, each in PUBLIC.items() if each.kind in kinds) or "none"
        raise DatasetError(
            f"dataset {name!r} not found in {' or '.join(str(p.parent) for p in places)}; "
            f"the project's own: {known}; public: {public}"
        )
    for file in files:
        if not (folder / file).is_file():
            raise DatasetError(f"dataset {name!r}: {folder / file} is missing; it needs {files}")
    return folder


def load_conversations(
    split: str = "test", *, name: str = "conversations", data_dir: Path | None = None
) -> ConversationSet:
    """Read a conversation set.

    Args:
        split: `tune`, `test` or `all`; only threads of users with a question of the split are kept.
        name: of a public set, or of a folder.
        data_dir: holds one folder for each dataset.

    Raises:
        DatasetError: missing, malformed, or without a question of the split.
    """
    _check_asked(split, data_dir)
    if name in PUBLIC:
        data = _read_public(name, ConversationSet, data_dir)
    else:
        data = read_conversations(find_dataset(name, CONVERSATION_FILES, data_dir))
    kept = tuple(question for question in data.questions if split in (question.split, "all"))
    _refuse_empty(name, split, len(kept), {question.split for question in data.questions})
    wanted = {data.user_of(question.thread) for question in kept}
    return ConversationSet(
        info=data.info.model_copy(update={"split": split}),
        threads={k: turns for k, turns in data.threads.items() if data.user_of(k) in wanted},
        questions=kept,
    )


def load_tools(
    split: str = "test",
    *,
    name: str = "tools",
    data_dir: Path | None = None,
    per_tool: int | None = None,
) -> ToolSet:
    """Read a tool set.

    Args:
        split: `tune`, `test` or `all`; the catalogue is the same for each.
        name: of a public set, or of a folder.
        data_dir: holds one folder for each dataset.
        per_tool: at most so many requests a tool, 0 for all; default: the set's own.

    Raises:
        DatasetError: missing, malformed, or without a request of the split.
    """
    _check_asked(split, data_dir)
    if name in PUBLIC:
        data = _read_public(name, ToolSet, data_dir)
        most = PUBLIC[name].per_tool if per_tool is None else per_tool
    else:
        data = read_tools(find_dataset(name, TOOL_FILES, data_dir))
        most = per_tool or 0
    kept = tuple(query for query in data.queries if split in (query.split, "all"))
    _refuse_empty(name, split, len(kept), {query.split for query in data.queries})
    notes = data.info.notes | ({"per_tool": most} if most else {})
    return ToolSet(
        info=data.info.model_copy(update={"split": split, "notes": notes}),
        tools=data.tools,
        queries=_balanced(kept, most) if most else kept,
    )


def load_calls(
    split: str = "test", *, name: str = "calls", data_dir: Path | None = None
) -> CallSet:
    """Read a set of calls; see `load_conversations`.

    Raises:
        DatasetError: missing, malformed, or without a case of the split.
    """
    _check_asked(split, data_dir)
    if name in PUBLIC:
        data = _read_public(name, CallSet, data_dir)
    else:
        data = read_calls(find_dataset(name, CALL_FILES, data_dir))
    kept = tuple(case for case in data.cases if split in (case.split, "all"))
    _refuse_empty(name, split, len(kept), {case.split for case in data.cases})
    return CallSet(info=data.info.model_copy(update={"split": split}), cases=kept)


def load_pipeline(
    split: str = "test", *, name: str = "pipeline", data_dir: Path | None = None
) -> PipelineSet:
    """Read a set of conversations for the whole pipeline; see `load_conversations`.

    Raises:
        DatasetError: missing, malformed, or without a case of the split.
    """
    _check_asked(split, data_dir)
    if name in PUBLIC:
        raise DatasetError(f"dataset {name!r} is no set of {_kind_name(PipelineSet)}")
    data = read_pipeline(find_dataset(name, (CASES,), data_dir))
    kept = tuple(case for case in data.cases if split in (case.split, "all"))
    _refuse_empty(name, split, len(kept), {case.split for case in data.cases})
    return data.model_copy(
        update={"info": data.info.model_copy(update={"split": split}), "cases": kept}
    )


def _read_public(name: str, kind: type[SetT], data_dir: Path | None) -> SetT:
    source = PUBLIC.get(name)
    if source is None or source.kind is not kind:
        fitting = ", ".join(key for key, each in PUBLIC.items() if each.kind is kind)
        raise DatasetError(
            f"dataset {name!r} is no set of {_kind_name(kind)}; public ones: {fitting}"
        )
    read = source.read(source.require(name, data_dir))
    if not isinstance(read, kind):
        raise TypeError(f"{name} is registered as {kind.__name__} and read as {type(read)}")
    return read


def _balanced(queries: tuple[ToolQuery, ...], most: int) -> tuple[ToolQuery, ...]:
    """The first requests of each tool; those that need none are all kept."""
    taken: Counter[str] = Counter()
    kept = []
    for query in queries:
        if all(taken[tool] < most for tool in query.tools):
            taken.update(query.tools)
            kept.append(query)
    return tuple(kept)


def _check_asked(split: str, data_dir: Path | None) -> None:
    if split not in (*SPLITS, "all"):
        raise DatasetError(f"split {split!r} is unknown; use {', '.join(SPLITS)} or all")
    # Else a mistyped folder would have the project's own set measured in its stead.
    if data_dir is not None and not data_dir.is_dir():
        raise DatasetError(f"--data-dir {data_dir} is no folder; it holds one folder for each set")


def _kind_name(kind: type[AnySet]) -> str:
    return next(each.name for each in KINDS.values() if each.set_type is kind)


def _refuse_empty(name: str, split: str, count: int, there: set[str]) -> None:
    if not count:
        raise DatasetError(
            f"split {split!r} of dataset {name!r} is empty in these files; they hold: "
            f"{', '.join(sorted(there)) or 'nothing'}"
        )
