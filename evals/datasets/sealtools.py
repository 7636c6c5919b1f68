"""Seal-Tools: requests that need one or several of 4,076 generated functions.

Source: Wu et al., Seal-Tools: Self-Instruct Tool Learning Dataset, NLPCC 2024;
https://github.com/fairyshine/Seal-Tools. `tool.jsonl` is the catalogue; `dev.jsonl` is the tuning
split, `test_in_domain.jsonl` and `test_out_domain.jsonl` are the test split, by whichever is there.
"""

from pathlib import Path
from typing import Any

from evals.datasets.files import info_of, read_lines, refuse_duplicates
from evals.datasets.records import CatalogueTool, DatasetError, Split, ToolQuery, ToolSet

CATALOGUE = "tool.jsonl"
PARTS: dict[str, tuple[Split, str]] = {
    "dev.jsonl": ("tune", "dev"),
    "test_in_domain.jsonl": ("test", "in-domain"),
    "test_out_domain.jsonl": ("test", "out-of-domain"),
}
_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


def read_sealtools(folder: Path) -> ToolSet:
    """Read the catalogue and the requests of every part that is there.

    Raises:
        DatasetError: a file is not in the format, or a request calls an unknown function.
    """
    path = folder / CATALOGUE
    parts = [part for part in PARTS if (folder / part).is_file()]
    try:
        tools = tuple(_tool(item) for item in read_lines(path))
        refuse_duplicates(path, [tool.name for tool in tools])
        known = {tool.name for tool in tools}
        queries: list[ToolQuery] = []
        for part in parts:
            path = folder / part
            queries += [_query(item, part) for item in read_lines(path)]
    except (KeyError, TypeError) as error:
        raise DatasetError(f"{path}: not in Seal-Tools' format: {error!r}") from None
    refuse_duplicates(folder, [query.id for query in queries])
    for query in queries:
        if unknown := sorted(set(query.tools) - known):
            raise DatasetError(f"{folder}: {query.id!r} calls {unknown[0]!r}, not in {CATALOGUE}")
    return ToolSet(
        info=info_of("seal-tools", folder, [CATALOGUE, *parts], parts=", ".join(parts)),
        tools=tools,
        queries=tuple(queries),
    )


def _tool(item: dict[str, Any]) -> CatalogueTool:
    properties = {
        name: {"type": _TYPES.get(given["type"], "string"), "description": given["description"]}
        for name, given in item["parameters"].items()
    }
    return CatalogueTool(
        name=item["api_name"],
        description=item["api_description"],
        parameters={"type": "object", "properties": properties, "required": item["required"]},
    )


def _query(item: dict[str, Any], part: str) -> ToolQuery:
    split, category = PARTS[part]
    return ToolQuery(
        id=item["id"],
        split=split,
        text=item["query"],
        tools=tuple(dict.fromkeys(call["api"] for call in item["calling"])),
        category=category,
    )
