"""MetaTool: requests for one of 199 plugins.

Source: Huang et al., MetaTool Benchmark for Large Language Models, 2023 (ICLR 2024);
https://github.com/HowieHwong/MetaTool. `all_clean_data.csv` or `queries.csv` (`Query,Tool`) and
`plugin_des.json` (name to description); `plugin_info.json`, where it is there, has a longer
description of most of them, and the two are joined.

Requests that differ in case and punctuation only are one request, with the tools of all. A request
is of the test split by the hash of its words, so that a request to learn from is never one to be
measured on. A test request whose set of words overlaps that of a tuning request by `NEAR` or more
(Jaccard) is of the category `near-duplicate`, every other one `distinct`. Where a run learns from
requests, those that mean nearly the same as one of them are told apart as well (`near.py`).

`multi_tool_query_golden.json` or `multi_tool_queries.json` has requests that need two plugins. They
are a set of their own, whole in the test split: nothing is tuned on them.
"""

from pathlib import Path

import numpy as np
from scipy import sparse

from evals.datasets.files import (
    first_there,
    info_of,
    read_csv,
    read_json,
    split_by_hash,
    words_of,
)
from evals.datasets.records import CatalogueTool, DatasetError, ToolQuery, ToolSet

DESCRIBED = "plugin_des.json"
FILES = (("all_clean_data.csv", "queries.csv"), (DESCRIBED,))
LONGER = "plugin_info.json"
TWO_FILES = (("multi_tool_query_golden.json", "multi_tool_queries.json"), (DESCRIBED,))
TEST_SHARE = 1 / 3
NEAR = 0.7


def read_metatool(folder: Path) -> ToolSet:
    """Read the plugins and every request.

    Raises:
        DatasetError: a file is not in the format, or a request names an unknown plugin.
    """
    path = first_there(folder, FILES[0])
    queries = _queries(path, set(_described(folder)))
    return _tool_set("metatool", path, queries)


def read_metatool_two(folder: Path) -> ToolSet:
    """Read the plugins and the requests that need two of them.

    Raises:
        DatasetError: a file is not in the format, or a request names an unknown plugin.
    """
    path = first_there(folder, TWO_FILES[0])
    known = set(_described(folder))
    queries: dict[str, ToolQuery] = {}
    try:
        for number, item in enumerate(read_json(path), 1):
            query = ToolQuery(
                id=f"two{number:04d}", split="test", text=item["query"], tools=tuple(item["tool"])
            )
            if unknown := sorted(set(query.tools) - known):
                raise DatasetError(
                    f"{path}: request {number}: tool {unknown[0]!r} is not in {DESCRIBED}"
                )
            queries.setdefault(" ".join(words_of(query.text)), query)
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: not in MetaTool's format: {error!r}") from None
    return _tool_set("metatool-two", path, tuple(queries.values()))


def _tool_set(name: str, path: Path, queries: tuple[ToolQuery, ...]) -> ToolSet:
    folder = path.parent
    described, longer = _described(folder), _longer(folder / LONGER)
    tools = tuple(
        CatalogueTool(name=tool, description=" ".join(filter(None, (text, longer.get(tool)))))
        for tool, text in described.items()
    )
    enriched = sum(tool in longer for tool in described)
    return ToolSet(
        info=info_of(
            name,
            folder,
            [path.name, DESCRIBED, *([LONGER] if longer else [])],
            descriptions=f"longer for {enriched} of {len(tools)}",
        ),
        tools=tools,
        queries=queries,
    )


def _described(folder: Path) -> dict[str, str]:
    return {name: str(text) for name, text in read_json(folder / DESCRIBED).items()}


def _longer(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    return {item["name_for_model"]: item["description_for_model"] for item in read_json(path)}


def _queries(path: Path, known: set[str]) -> tuple[ToolQuery, ...]:
    texts: dict[str, str] = {}
    tools: dict[str, list[str]] = {}
    for number, row in enumerate(read_csv(path, ("Query", "Tool")), 1):
        if row["Tool"] not in known:
            raise DatasetError(f"{path}: row {number}: tool {row['Tool']!r} is not in {DESCRIBED}")
        key = " ".join(words_of(row["Query"]))
        texts.setdefault(key, row["Query"])
        if row["Tool"] not in tools.setdefault(key, []):
            tools[key].append(row["Tool"])
    splits = {key: split_by_hash(key, TEST_SHARE) for key in texts}
    learned = [key for key in texts if splits[key] == "tune"]
    measured = [key for key in texts if splits[key] == "test"]
    near = dict(zip(measured, overlap(measured, learned) >= NEAR, strict=True))
    return tuple(
        ToolQuery(
            id=f"q{number:05d}",
            split=splits[key],
            text=text,
            tools=tuple(tools[key]),
            category=("near-duplicate" if near[key] else "distinct") if key in near else None,
        )
        for number, (key, text) in enumerate(texts.items(), 1)
    )


def overlap(texts: list[str], others: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The Jaccard overlap of each text's set of words with the nearest of the others, [texts]."""
    if not texts or not others:
        return np.zeros(len(texts))
    numbers: dict[str, int] = {}
    for text in (*texts, *others):
        for word in text.split():
            numbers.setdefault(word, len(numbers))
    left, right = _members(texts, numbers), _members(others, numbers)
    shared = (left @ right.T).toarray()
    sizes = left.sum(axis=1).reshape(-1, 1) + right.sum(axis=1).reshape(1, -1)
    return np.asarray((shared / np.maximum(sizes - shared, 1)).max(axis=1), np.float64)


def _members(texts: list[str], numbers: dict[str, int]) -> sparse.csr_array:
    sets = [sorted({numbers[word] for word in text.split()}) for text in texts]
    columns = [number for each in sets for number in each]
    starts = np.cumsum([0, *(len(each) for each in sets)])
    return sparse.csr_array(
        (np.ones(len(columns), np.float32), columns, starts), shape=(len(texts), len(numbers))
    )
