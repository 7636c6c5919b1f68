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
from scipy.special import expit

from harness.context.embeddings import CachedEmbedder, build_embedder
from harness.settings import get_settings
from harness.tools import _probe
from harness.tools._odds import (
    WEIGHTS_FILE,
    ProbeWeights,
    SelectionWeights,
    SimilarityWeights,
)
from harness.tools._probe import Probe, Vocabulary
from harness.tools._similarity import TAU, SimilarityIndex
from harness.tools._softmax import fit_softmax
from harness.tools.builtin import BUILTIN
from harness.tools.registry import ToolSpec
from harness.tools.selection import NEEDED_FROM

NO_TOOL = "no tool"
FILLINGS = 3  # of a form that has gaps
SEED = 7
PENALTY = 0.1  # of a weight's square, against one request's loss
PASSES = 500  # over the requests, at most
WEIGHT_PENALTY = 1e-4  # of a weight's square, against the mean loss
FOLDS = 10
SIZES = (5, 10, 20, 40, 100)  # of catalogues drawn from all the tools, and once all of them
# What may be known of a built-in tool: it is in the classifier, it has examples, or neither.
VIEWS = ("classifier", "examples", "description")
NEED = "need"  # fitted after the weights of the columns
# What the weights are of, in the order of the fit.
COLUMNS = (
    "probe.scale", "probe.bias",
    "shown.example", "shown.description", "shown.words", "shown.bias",
    "described.description", "described.words", "described.bias",
    "request", "size",
)  # fmt: skip

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
    classes = _softmax(features, train.labels, len(specs) + 1)
    requests = _softmax(features, (train.labels < len(specs)).astype(np.int64), 2)
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


def _softmax(features: Floats, labels: Labels, classes: int) -> Floats:
    return fit_softmax(features, labels, classes, penalty=PENALTY, passes=PASSES)


async def _fit_weights(
    specs: list[ToolSpec], train: Requests, held: Requests, probe: Probe, embedder: CachedEmbedder
) -> SelectionWeights:
    foreign, asked = _foreign()
    everything = [*specs, *foreign]
    numbers = {spec.name: i for i, spec in enumerate(everything)}
    numbers[NO_TOOL] = len(everything)
    tried = _requests([*_development(), *asked], numbers, embedder)
    classes, requests = probe.scores(tried.texts, tried.vectors)
    unseen = np.concatenate([_unseen_requests(specs, train, held), requests[len(held.labels) :]])
    views = {
        view: await _columns(view, everything, len(specs), tried, classes, unseen, embedder)
        for view in VIEWS
    }
    cases = _cases(views, tried.labels, len(specs))
    _report(views, cases, tried.labels, len(specs))
    found = dict(zip((*COLUMNS, NEED), _fit(cases), strict=True))
    return SelectionWeights(
        version=3,
        probe=ProbeWeights(**_under("probe", found)),
        shown=SimilarityWeights(**_under("shown", found)),
        described=SimilarityWeights(example=0.0, **_under("described", found)),
        request=round(float(found["request"]), 4),
        size=round(float(found["size"]), 4),
        need=round(float(found[NEED]), 4),
    )


async def _columns(
    view: str,
    tools: list[ToolSpec],
    builtin: int,
    tried: Requests,
    classes: NDArray[np.float32],
    requests: Floats,
    embedder: CachedEmbedder,
) -> Floats:
    """What each weight is multiplied with, float64 [n, tools, COLUMNS]; size is filled in later."""
    shown = view == "examples"
    each = [spec if shown else spec.model_copy(update={"examples": []}) for spec in tools]
    index = await SimilarityIndex.of(each, embedder)
    signals = index.signals(tried.texts, tried.vectors)
    nearness = [signals.description, signals.words, np.ones_like(signals.words)]
    table = np.zeros((*signals.words.shape, len(COLUMNS)))
    table[:, :, 6:9] = np.stack(nearness, axis=2)
    table[:, :, 9] = requests[:, None]
    table[:, :, 10] = -1.0
    if shown:
        has = index.counts > 0
        table[:, has, 3:6] = table[:, has, 6:9]
        table[:, has, 2] = 1 + TAU * np.log(signals.near[:, has] / index.counts[has])
        table[:, has, 6:9] = 0
    if view == "classifier":
        table[:, :builtin] = 0
        table[:, :builtin, 0] = classes
        table[:, :builtin, 1] = 1
    return table


@dataclass(frozen=True)
class Cases:
    """Requests put to catalogues of several sizes.

    Attributes:
        columns: float64 [cases, tools, COLUMNS].
        there: which of the tools are in the catalogue, [cases, tools].
        labels: int64 [cases]; the number of tools for none.
        requests: which request it is, int64 [cases].
        counts: how much each counts in the fit; their sum is 1.
    """

    columns: Floats
    there: NDArray[np.bool_]
    labels: Labels
    requests: Labels
    counts: Floats

    def of(self, kept: NDArray[np.bool_]) -> "Cases":
        """Some of the cases."""
        return Cases(
            self.columns[kept],
            self.there[kept],
            self.labels[kept],
            self.requests[kept],
            self.counts[kept] / self.counts[kept].sum(),
        )


def _cases(views: dict[str, Floats], labels: Labels, builtin: int) -> Cases:
    chooser = np.random.default_rng(SEED)
    count, tools = next(iter(views.values())).shape[:2]
    asked = np.flatnonzero(labels < tools)
    columns, theres = [], []
    for table in views.values():
        for size in (*SIZES, tools):
            there = chooser.random((count, tools)).argsort(1) < size
            there[asked, labels[asked]] = True
            sized = table.copy()
            sized[:, :, 10] *= np.log(there.sum(1))[:, None]
            columns.append(sized)
            theres.append(there)
    times = len(columns)
    # Half for requests and half for the rest, and of the requests half for the built-in tools,
    # whatever their numbers here.
    none, own = labels == tools, labels < builtin
    counts = np.select(
        [none, own], [0.5 / none.sum(), 0.25 / own.sum()], 0.25 / (asked.size - own.sum())
    )
    return Cases(
        np.concatenate(columns),
        np.concatenate(theres),
        np.tile(labels, times),
        np.tile(np.arange(count), times),
        np.tile(counts / times, times),
    )


def _foreign() -> tuple[list[ToolSpec], list[tuple[str, str]]]:
    """Tools that the classifier does not know, as a deployment has, and requests for them."""
    lines = Path(__file__).with_name("foreign_tools.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    specs = [
        ToolSpec(name=row["name"], description=row["description"], parameters={}) for row in rows
    ]
    return specs, [(request, row["name"]) for row in rows for request in row["requests"]]


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
        weights = _softmax(_features(vocabulary, part), part.labels, 2)
        difference = weights[0] - weights[1]
        columns.append(_features(vocabulary, held) @ difference[:-1] + difference[-1])
    table = np.stack(columns, axis=1)
    table = np.hstack([table, table.mean(1, keepdims=True)])
    return np.asarray(table[np.arange(len(table)), held.labels])


def _fit(cases: Cases) -> Floats:
    """Weights with which the right tool, or none, is the likeliest; float64 [COLUMNS and NEED]."""
    tools = cases.there.shape[1]
    rows = np.arange(len(cases.labels))
    asked = cases.labels < tools
    right = np.where(asked[:, None], cases.columns[rows, np.minimum(cases.labels, tools - 1)], 0.0)

    def loss(weights: Floats) -> tuple[float, Floats]:
        shares, all_odds = _shares(cases, weights)
        mean = np.einsum("ct,ctw->cw", shares[:, :-1], cases.columns)
        chances = shares[:, :-1].sum(1)
        mean /= np.maximum(chances, np.finfo(np.float64).tiny)[:, None]
        missed = asked - chances  # how far the chance of a need is from what there was
        slope = missed[:, None] * weights[-1] * mean + right - asked[:, None] * mean
        value = -(cases.counts * np.log(shares[rows, cases.labels])).sum()
        penalty = WEIGHT_PENALTY * weights
        gained = cases.counts @ np.column_stack([slope, missed * all_odds])
        return float(value + (penalty * weights).sum()), 2 * penalty - gained

    start = np.ones(len(COLUMNS) + 1)
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x)


def _shares(cases: Cases, weights: Floats) -> tuple[Floats, Floats]:
    """The probability of each tool and, last, of none; and the log-odds of all tools together.

    Returns:
        float64 [cases, tools + 1] and float64 [cases].
    """
    odds = np.where(cases.there, cases.columns @ weights[:-1], -np.inf)
    all_odds = np.logaddexp.reduce(odds, axis=1)
    chances = expit(weights[-1] * all_odds)
    shares = np.exp(odds - all_odds[:, None]) * chances[:, None]
    return np.column_stack([shares, expit(-weights[-1] * all_odds)]), all_odds


def _report(views: dict[str, Floats], cases: Cases, labels: Labels, builtin: int) -> None:
    """Print how well each view does among all tools, by folds of the requests."""
    tools = cases.there.shape[1]
    folds = np.random.default_rng(SEED).permutation(len(labels)) % FOLDS
    chances = np.zeros((len(cases.labels), tools + 1))
    for fold in range(FOLDS):
        left_out = folds[cases.requests] == fold
        chances[left_out], _ = _shares(cases.of(left_out), _fit(cases.of(~left_out)))
    times = len(SIZES) + 1
    for number, view in enumerate(views):
        last = (number * times + times - 1) * len(labels)
        _print_accuracy(view, chances[last : last + len(labels)], labels, builtin)


def _print_accuracy(view: str, chances: Floats, labels: Labels, builtin: int) -> None:
    none, own = labels == chances.shape[1] - 1, labels < builtin
    needed = 1 - chances[:, -1] >= NEEDED_FROM
    right = chances[:, :-1].argmax(1) == labels
    sure = chances[:, :-1].max(1)
    bins = np.minimum((sure * 10).astype(int), 9)
    gaps = [abs((sure - right)[bins == each].sum()) for each in range(10)]
    sys.stdout.write(f"the built-in tools by {view}:\n")
    for kind, asked in (("a built-in tool", own), ("another tool", ~none & ~own)):
        sys.stdout.write(
            f"  {kind} asked for: right tool first {right[asked].mean():.3f}, "
            f"offered {needed[asked].mean():.3f}\n"
        )
    sys.stdout.write(
        f"  none asked for: nothing offered {(~needed[none]).mean():.3f}; "
        f"calibration error {sum(gaps) / len(labels):.3f}\n"
    )


def _under(prefix: str, weights: dict[str, float]) -> dict[str, float]:
    return {
        name.removeprefix(f"{prefix}."): round(float(weight), 4)
        for name, weight in weights.items()
        if name.startswith(f"{prefix}.")
    }


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


if __name__ == "__main__":
    main()
