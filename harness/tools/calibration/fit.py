"""Fits selection: `python -m harness.tools.calibration.fit`.

The classifier is fitted on `exemplars.json` (forms of requests, filled with many topics, so that
no topic belongs to a tool) and the tools' own examples; the weights that turn scores into
probabilities on `requests.jsonl`, which shares no request with them. Both are written for this
project. Prints accuracies; those of the weights are of folds that were left out.
"""

import asyncio
import json
import random
import re
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from harness.context.embeddings import CachedEmbedder, build_embedder
from harness.settings import get_settings
from harness.tools import _probe
from harness.tools._probe import Probe, Vocabulary
from harness.tools._similarity import SimilarityIndex
from harness.tools.builtin import BUILTIN
from harness.tools.registry import ToolSpec
from harness.tools.selection import (
    WEIGHTS_FILE,
    ProbeWeights,
    SelectionWeights,
    SimilarityWeights,
)

NO_TOOL = "no tool"
FILLINGS = 3  # of a form that has gaps
SEED = 7
PENALTY = 0.1  # of a weight's square, against one request's loss
FOLDS = 10
SIGNALS = ("example", "description", "words")

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Requests:
    """Texts, their vectors and the numbers of their tools; the last number is no tool."""

    texts: list[str]
    vectors: NDArray[np.float32]
    labels: Labels


def main() -> None:
    """Fit everything and write it beside the code that reads it."""
    specs = [tool.spec for tool in BUILTIN]
    embedder = build_embedder(get_settings())
    numbers = {spec.name: i for i, spec in enumerate(specs)} | {NO_TOOL: len(specs)}
    train = _requests(_exemplars(specs), numbers, embedder)
    held = _requests(_development(), numbers, embedder)
    probe = fit_probe(specs, train, embedder.name)
    weights = asyncio.run(_fit_weights(specs, train, held, probe, embedder))
    target = Path(str(resources.files("harness.tools")))
    np.savez_compressed(target / _probe.FILE, **probe.arrays())
    (target / WEIGHTS_FILE).write_text(weights.model_dump_json(indent=2) + "\n", "utf-8")
    embedder.close()


def fit_probe(specs: list[ToolSpec], train: Requests, embedder: str) -> Probe:
    """Fit the classifier of tools, and the one of requests against all else.

    Args:
        specs: the tools, in the order of the labels.
        train: what to fit on.
        embedder: the name of the one that made the vectors.
    """
    vocabulary = Vocabulary.of(train.texts)
    features = _features(vocabulary, train)
    classes = fit_softmax(features, train.labels, len(specs) + 1)
    requests = fit_softmax(features, (train.labels < len(specs)).astype(np.int64), 2)
    request = (requests[1] - requests[0]).astype(np.float32)
    return Probe(
        embedder=embedder,
        names=[spec.name for spec in specs],
        descriptions=[spec.description for spec in specs],
        vocabulary=vocabulary,
        weights=classes[:, :-1].astype(np.float32),
        biases=classes[:, -1].astype(np.float32),
        request_weights=request[:-1],
        request_bias=float(request[-1]),
    )


def fit_softmax(features: Floats, labels: Labels, classes: int) -> Floats:
    """Multinomial logistic regression, classes weighing the same.

    Args:
        features: float64 [n, d].
        labels: int64 [n].
        classes: how many.

    Returns:
        float64 [classes, d + 1], the bias last; it is not penalised.
    """
    count, width = features.shape
    share = 1 / (classes * np.bincount(labels, minlength=classes))[labels]
    wide = np.hstack([features, np.ones((count, 1))])

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(classes, width + 1)
        chance = wide @ weights.T
        chance -= chance.max(1, keepdims=True)
        logs = chance - np.log(np.exp(chance).sum(1, keepdims=True))
        penalised = np.hstack([weights[:, :-1], np.zeros((classes, 1))])
        value = -(share * logs[np.arange(count), labels]).sum()
        slope = np.exp(logs)
        slope[np.arange(count), labels] -= 1
        gradient = (slope * share[:, None]).T @ wide + PENALTY / count * penalised
        return value + PENALTY / count / 2 * (penalised**2).sum(), gradient.ravel()

    start = np.zeros(classes * (width + 1))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return np.asarray(found.x).reshape(classes, width + 1)


async def _fit_weights(
    specs: list[ToolSpec], train: Requests, held: Requests, probe: Probe, embedder: CachedEmbedder
) -> SelectionWeights:
    odds = np.array(
        [probe.scores(*each)[0] for each in zip(held.texts, held.vectors, strict=True)], np.float64
    )
    scale = _fit(odds[:, :, None], held.labels)
    _report("classifier", odds[:, :, None], held.labels)
    foreign, asked = _foreign()
    everything = [*specs, *foreign]
    numbers = {spec.name: i for i, spec in enumerate(everything)}
    numbers[NO_TOOL] = len(everything)
    request = np.concatenate(
        [
            _unseen_requests(specs, train, held),
            [probe.scores(text, vector)[1] for text, vector in _embedded(asked, embedder)],
        ]
    )
    tried = _requests([*_development(), *asked], numbers, embedder)
    weights = {}
    for name, kept, used in (("shown", True, SIGNALS), ("described", False, SIGNALS[1:])):
        # Tools without examples stand beside those with some: the odds must compare.
        each = [spec if kept else spec.model_copy(update={"examples": []}) for spec in everything]
        index = await SimilarityIndex.of(each, embedder)
        signals = [index.signals(*one) for one in zip(tried.texts, tried.vectors, strict=True)]
        table = np.array([[row[signal] for signal in used] for row in signals], np.float64)
        spread = np.repeat(request[:, None], len(everything), axis=1)
        table = np.concatenate([table.transpose(0, 2, 1), spread[:, :, None]], axis=2)
        _report(name, table, tried.labels)
        found = dict(zip((*used, "request", "bias"), _fit(table, tried.labels), strict=True))
        weights[name] = SimilarityWeights(**({"example": 0.0} | _rounded(found)))
    return SelectionWeights(
        version=1,
        probe=ProbeWeights(**_rounded(dict(zip(("scale", "bias"), scale, strict=True)))),
        **weights,
    )


def _foreign() -> tuple[list[ToolSpec], list[tuple[str, str]]]:
    """Tools that the classifier does not know, as a deployment has, and requests for them."""
    lines = Path(__file__).with_name("foreign_tools.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    specs = [
        ToolSpec(name=row["name"], description=row["description"], parameters={}) for row in rows
    ]
    return specs, [(request, row["name"]) for row in rows for request in row["requests"]]


def _embedded(
    labelled: list[tuple[str, str]], embedder: CachedEmbedder
) -> list[tuple[str, NDArray[np.float32]]]:
    texts = [text for text, _ in labelled]
    return list(zip(texts, embedder.embed(texts), strict=True))


def _unseen_requests(specs: list[ToolSpec], train: Requests, held: Requests) -> Floats:
    # A tool that comes later was no part of the fit: a request is judged by a fit without its own.
    columns = []
    for number in range(len(specs)):
        rest = train.labels != number
        part = Requests(
            [text for text, kept in zip(train.texts, rest, strict=True) if kept],
            train.vectors[rest],
            (train.labels[rest] == len(specs)).astype(np.int64),
        )
        vocabulary = Vocabulary.of(part.texts)
        weights = fit_softmax(_features(vocabulary, part), part.labels, 2)
        difference = weights[0] - weights[1]
        columns.append(_features(vocabulary, held) @ difference[:-1] + difference[-1])
    table = np.stack(columns, axis=1)
    table = np.hstack([table, table.mean(1, keepdims=True)])
    return np.asarray(table[np.arange(len(table)), held.labels])


def _fit(signals: Floats, labels: Labels) -> Floats:
    """Weights of log-odds against no tool: the right tool's high and above the other tools'.

    Args:
        signals: float64 [n, tools, signals].
        labels: int64 [n]; `tools` for none.

    Returns:
        float64 [signals + 1], the bias last.
    """
    asked = labels < signals.shape[1]
    rows = np.flatnonzero(asked)

    def loss(weights: Floats) -> float:
        odds = signals @ weights[:-1] + weights[-1]
        right = odds[rows, labels[rows]]
        among = np.logaddexp.reduce(odds[rows], axis=1) - right
        alone = np.where(asked, np.logaddexp(0, -odds.max(1)), np.logaddexp(0, odds.max(1)))
        # Half for requests and half for the rest, whatever their numbers here.
        balanced = (alone[asked].mean() + alone[~asked].mean()) / 2
        return float(among.mean() + balanced + 1e-3 * (weights[:-1] ** 2).sum())

    return np.asarray(minimize(loss, np.ones(signals.shape[2] + 1)).x)


def _report(name: str, signals: Floats, labels: Labels) -> None:
    folds = np.random.default_rng(SEED).permutation(len(labels)) % FOLDS
    odds = np.zeros(signals.shape[:2])
    for fold in range(FOLDS):
        weights = _fit(signals[folds != fold], labels[folds != fold])
        odds[folds == fold] = signals[folds == fold] @ weights[:-1] + weights[-1]
    asked = labels < signals.shape[1]
    needed = odds.max(1) > 0
    right = odds.argmax(1) == labels
    sys.stdout.write(
        f"{name}: right tool first {right[asked].mean():.3f}, offered when needed "
        f"{needed[asked].mean():.3f}, nothing offered when not {(~needed[~asked]).mean():.3f}\n"
    )


def _features(vocabulary: Vocabulary, requests: Requests) -> Floats:
    words = np.stack([vocabulary.vector(text) for text in requests.texts])
    return np.hstack([requests.vectors, words]).astype(np.float64)


def _requests(
    labelled: list[tuple[str, str]], numbers: dict[str, int], embedder: CachedEmbedder
) -> Requests:
    texts = [text for text, _ in labelled]
    labels = np.array([numbers[tool] for _, tool in labelled], np.int64)
    return Requests(texts, embedder.embed(texts), labels)


def _exemplars(specs: list[ToolSpec]) -> list[tuple[str, str]]:
    content = json.loads(Path(__file__).with_name("exemplars.json").read_text("utf-8"))
    chooser = random.Random(SEED)

    def fill(form: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda gap: chooser.choice(content["fillers"][gap[1]]), form)

    labelled = [(example.request, spec.name) for spec in specs for example in spec.examples]
    for tool, forms in content["requests"].items():
        for form in forms:
            times = FILLINGS if "{" in form else 1
            labelled += [(text, tool) for text in dict.fromkeys(fill(form) for _ in range(times))]
    return labelled


def _development() -> list[tuple[str, str]]:
    lines = Path(__file__).with_name("requests.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [(row["request"], row["tool"] or NO_TOOL) for row in rows]


def _rounded(weights: dict[str, float]) -> dict[str, float]:
    return {name: round(float(weight), 4) for name, weight in weights.items()}


if __name__ == "__main__":
    main()
