"""Labelled requests: lines of JSON, each a request and the tool that serves it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import HarnessError

LINE = '{"request": "how much is 6 times 7?", "tool": "calculate"}'


class LabelledRequest(BaseModel):
    """One line."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    request: str = Field(min_length=1)
    tool: str = Field(min_length=1)


def read_labelled(path: Path) -> list[tuple[str, str]]:
    """Read a file of labelled requests, each a text and its tool.

    Raises:
        HarnessError: there is no such file, or a line of it is not one.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(
            f"{path} can't be read ({error})", "Give a file of JSON lines."
        ) from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = LabelledRequest.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "the line"
            raise HarnessError(
                f"{path}:{number}: {field}: {first['msg'].lower()}", f"Write lines like {LINE}"
            ) from None
        found.append((row.request, row.tool))
    return found
