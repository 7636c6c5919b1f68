"""MiniLM as an ONNX graph, built from its published weights."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

LAYERS = 6
HEADS = 12
WIDTH = 384
EPSILON = 1e-12
VERSION = 1  # of the graph built here; part of the cached file's name
CONTRIB = "com.microsoft"  # onnxruntime's own fused operators
OPSETS = (helper.make_opsetid("", 20), helper.make_opsetid(CONTRIB, 1))

Weights = Mapping[str, NDArray[np.float32]]


class _Graph:
    """Collects nodes and constants under readable, unique names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        output: str,
        *,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        self.nodes.append(helper.make_node(op, list(inputs), [output], domain=domain, **attributes))
        return output


def build(weights: Weights, path: Path) -> None:
    """Write the sentence encoder (tokens in, unit vectors out) to a file.

    The encoder is BERT (Devlin et al. 2019, post-layer-norm, exact GELU) with the attention-masked
    mean of the last layer as the sentence's vector (Reimers and Gurevych 2019).

    Args:
        weights: the tensors of `model.safetensors` by their published names.
        path: where the graph goes; written aside and moved, so that two processes may race.
    """
    graph = _Graph()
    hidden = _embed_tokens(graph, weights)
    for layer in range(LAYERS):
        hidden = _encode_layer(graph, weights, hidden, layer)
    _pool(graph, hidden)
    tokens = [
        helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", "length"])
        for name in ("ids", "mask")
    ]
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", WIDTH])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "minilm", tokens, [vectors], graph.constants),
        opset_imports=OPSETS,
        ir_version=10,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        part.write(model.SerializeToString())
    Path(part.name).replace(path)


def _layer_norm(graph: _Graph, weights: Weights, inputs: Sequence[str], prefix: str) -> str:
    scale = graph.constant(f"{prefix}.scale", weights[f"{prefix}.weight"])
    shift = graph.constant(f"{prefix}.shift", weights[f"{prefix}.bias"])
    return graph.node(
        "SkipLayerNormalization",
        [*inputs, scale, shift],
        f"{prefix}.out",
        domain=CONTRIB,
        epsilon=EPSILON,
    )


def _dense(graph: _Graph, weights: Weights, x: str, prefix: str) -> str:
    kernel = graph.constant(f"{prefix}.kernel", weights[f"{prefix}.weight"].T)
    return graph.node("MatMul", [x, kernel], f"{prefix}.product")


def _embed_tokens(graph: _Graph, weights: Weights) -> str:
    words = graph.constant("words", weights["embeddings.word_embeddings.weight"])
    # Every token is of segment 0, so its embedding folds into the positions' table.
    places = graph.constant(
        "places",
        weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0],
    )
    word = graph.node("Gather", [words, "ids"], "word")
    length = graph.node("Shape", ["ids"], "length", start=1, end=2)
    zero = graph.constant("zero", np.array([0], np.int64))
    place = graph.node("Slice", [places, zero, length], "place")
    total = graph.node("Add", [word, place], "token")
    prefix = "embeddings.LayerNorm"
    scale = graph.constant(f"{prefix}.scale", weights[f"{prefix}.weight"])
    shift = graph.constant(f"{prefix}.shift", weights[f"{prefix}.bias"])
    return graph.node("LayerNormalization", [total, scale, shift], "embedded", epsilon=EPSILON)


def _encode_layer(graph: _Graph, weights: Weights, x: str, layer: int) -> str:
    prefix = f"encoder.layer.{layer}"
    parts = [f"{prefix}.attention.self.{part}" for part in ("query", "key", "value")]
    kernel = np.concatenate([weights[f"{part}.weight"].T for part in parts], axis=1)
    bias = np.concatenate([weights[f"{part}.bias"] for part in parts])
    attended = graph.node(
        "Attention",
        [
            x,
            graph.constant(f"{prefix}.qkv", kernel),
            graph.constant(f"{prefix}.qkv_bias", bias),
            "mask",
        ],
        f"{prefix}.attended",
        domain=CONTRIB,
        num_heads=HEADS,
    )
    mixed = _dense(graph, weights, attended, f"{prefix}.attention.output.dense")
    mixed_bias = graph.constant(
        f"{prefix}.mixed_bias", weights[f"{prefix}.attention.output.dense.bias"]
    )
    biased = graph.node("Add", [mixed, mixed_bias], f"{prefix}.mixed")
    x = _layer_norm(graph, weights, [biased, x], f"{prefix}.attention.output.LayerNorm")
    wide = _dense(graph, weights, x, f"{prefix}.intermediate.dense")
    wide_bias = graph.constant(f"{prefix}.wide_bias", weights[f"{prefix}.intermediate.dense.bias"])
    active = graph.node("BiasGelu", [wide, wide_bias], f"{prefix}.active", domain=CONTRIB)
    narrow = _dense(graph, weights, active, f"{prefix}.output.dense")
    narrow_bias = graph.constant(f"{prefix}.narrow_bias", weights[f"{prefix}.output.dense.bias"])
    biased = graph.node("Add", [narrow, narrow_bias], f"{prefix}.narrow")
    return _layer_norm(graph, weights, [biased, x], f"{prefix}.output.LayerNorm")


def _pool(graph: _Graph, hidden: str) -> None:
    last = graph.constant("axis.last", np.array([2], np.int64))
    along = graph.constant("axis.along", np.array([1], np.int64))
    mask = graph.node("Cast", ["mask"], "mask.float", to=TensorProto.FLOAT)
    kept = graph.node("Unsqueeze", [mask, last], "mask.column")
    masked = graph.node("Mul", [hidden, kept], "masked")
    # The sum points where the mean does, and only the direction is kept.
    total = graph.node("ReduceSum", [masked, along], "total", keepdims=0)
    graph.node("LpNormalization", [total], "vectors", axis=1, p=2)
