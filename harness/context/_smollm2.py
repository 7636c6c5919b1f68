"""SmolLM2's own tokenizer, out of the model file that is packaged.

Source of the layout: "GGUF", docs/gguf.md of ggml-org/ggml.
"""

import struct
from pathlib import Path
from typing import Any, BinaryIO

from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import BPE

from harness.errors import HarnessError

PRE_TOKENIZER = "smollm"  # digits one by one, then as GPT-2
_MAGIC = b"GGUF"
_STRING, _ARRAY = 8, 9
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
            12: "d"}  # fmt: skip


class SmolLM2Tokens:
    """Counts with the vocabulary and the merges of a SmolLM2 file.

    Args:
        file: the model, as GGUF.

    Raises:
        HarnessError: the file is no GGUF, or its text is split by other rules.
    """

    def __init__(self, file: Path) -> None:
        known = read_metadata(file)
        if known.get("tokenizer.ggml.pre") != PRE_TOKENIZER:
            rules = known.get("tokenizer.ggml.pre")
            raise HarnessError(f"{file.name} splits text as {rules!r}, not as {PRE_TOKENIZER!r}")
        vocabulary = {token: i for i, token in enumerate(known["tokenizer.ggml.tokens"])}
        merges = [tuple(merge.split(" ")) for merge in known["tokenizer.ggml.merges"]]
        self._tokenizer = Tokenizer(BPE(vocabulary, merges))
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )

    def count(self, text: str) -> int:
        """How many tokens the text takes; what looks like a special token counts as text."""
        encoded = self._tokenizer.encode(text.encode("utf-8", "replace").decode())
        return len(encoded.ids)


def read_metadata(file: Path) -> dict[str, Any]:
    """What a GGUF file says of its model, by key; the weights are not read.

    Raises:
        HarnessError: it is no GGUF file.
    """
    with file.open("rb") as source:
        if source.read(len(_MAGIC)) != _MAGIC:
            raise HarnessError(f"{file.name} is no GGUF file", "Run 'make setup'.")
        _version, _tensors, entries = struct.unpack("<IQQ", source.read(20))
        return {_string(source): _value(source, _number(source, "I")) for _ in range(entries)}


def _value(source: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(source)
    if kind == _ARRAY:
        kind, length = struct.unpack("<IQ", source.read(12))
        return [_value(source, kind) for _ in range(length)]
    return _number(source, _NUMBERS[kind])


def _string(source: BinaryIO) -> str:
    return source.read(_number(source, "Q")).decode("utf-8", "replace")


def _number(source: BinaryIO, form: str) -> Any:
    form = f"<{form}"
    return struct.unpack(form, source.read(struct.calcsize(form)))[0]
