"""What a chat request asks, in the terms of the simulation."""

import hashlib
import json
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ChatRequest(BaseModel):
    """The part of OpenAI's chat completion request that the simulation heeds.

    Source: the OpenAI API reference, "Create chat completion".
    """

    model_config = ConfigDict(extra="ignore")
    model: str
    messages: list[dict[str, Any]] = Field(min_length=1)
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)

    @property
    def limit(self) -> int | None:
        """The most tokens that the answer may have."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def wants_usage(self) -> bool:
        """Whether a streamed answer ends with its usage."""
        return bool(self.stream_options and self.stream_options.get("include_usage"))

    @property
    def json_schema(self) -> dict[str, Any] | None:
        """The schema that the answer must satisfy, if one is given."""
        if not self.response_format:
            return None
        if self.response_format.get("type") == "json_object":
            return {"type": "object", "properties": {"answer": {"type": "string"}},
                    "required": ["answer"]}  # fmt: skip
        schema = self.response_format.get("json_schema", {}).get("schema")
        return schema if isinstance(schema, dict) else None

    @property
    def offered_tools(self) -> dict[str, dict[str, Any]]:
        """The parameters' schema of each function that may be called, by name."""
        if self.tool_choice == "none":
            return {}
        functions = [tool.get("function", {}) for tool in self.tools or ()]
        return {str(f.get("name")): f.get("parameters") or {} for f in functions}

    @property
    def forced_tool(self) -> str | None:
        """The tool that the request insists on; "" when any will do."""
        if isinstance(self.tool_choice, dict):
            return str(self.tool_choice.get("function", {}).get("name", ""))
        return "" if self.tool_choice == "required" else None

    @cached_property
    def last_user_index(self) -> int:
        """Where the last message of the user stands; -1 without one."""
        roles = [message.get("role") for message in self.messages]
        return len(roles) - 1 - roles[::-1].index("user") if "user" in roles else -1

    @cached_property
    def asked(self) -> str:
        """The last user message's text."""
        if self.last_user_index < 0:
            return ""
        return message_text(self.messages[self.last_user_index])

    @cached_property
    def turn(self) -> int:
        """How many answers the model has given since the user last spoke."""
        later = self.messages[self.last_user_index + 1 :]
        return sum(message.get("role") == "assistant" for message in later)

    @cached_property
    def tool_results(self) -> list[tuple[str, str]]:
        """Name and text of each tool result since the user last spoke."""
        names: dict[str, str] = {}
        results = []
        for message in self.messages[self.last_user_index + 1 :]:
            for call in message.get("tool_calls") or ():
                names[str(call.get("id"))] = str(call.get("function", {}).get("name"))
            if message.get("role") == "tool":
                name = names.get(str(message.get("tool_call_id")), "tool")
                results.append((name, message_text(message)))
        return results

    @property
    def prompt_tokens(self) -> int:
        """The prompt's length, at four characters a token."""
        characters = sum(len(message_text(message)) for message in self.messages)
        return characters // 4 + 4 * len(self.messages)

    def digest(self, seed: int) -> bytes:
        """What the answer's draws are seeded with: equal requests get equal answers."""
        content = [self.model, self.messages, self.tools, self.tool_choice, self.response_format]
        return hashlib.sha256(json.dumps([seed, content], sort_keys=True).encode()).digest()


def message_text(message: dict[str, Any]) -> str:
    """A message's text, also where its content is a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content) if content is not None else ""
