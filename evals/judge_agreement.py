"""Labelled examples judged: how far a judge's scores can be trusted."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

from evals.datasets.cases import JudgeExample
from evals.figures import Figure, figure, interval_figure
from evals.judge import Judge, JudgeFailed
from evals.metrics.agreement import agreement, cohen_kappa
from evals.statistics import bootstrap
from harness.errors import HarnessError

IN_FLIGHT = 4


@dataclass(frozen=True)
class Agreement:
    """What a judge said of labelled examples, against what a person had said.

    Attributes:
        judged: 0/1 an example; NaN where the judge gave no verdict.
        labelled: 0/1 an example.
        wrong: ids of the examples on which they differ, for people to look at.
    """

    judged: tuple[float, ...]
    labelled: tuple[float, ...]
    wrong: tuple[str, ...]

    def figures(self) -> dict[str, Figure]:
        """Raw agreement and Cohen's kappa with intervals, and how often no verdict came."""
        n = len(self.labelled)
        silent = sum(map(math.isnan, self.judged))
        # Kappa knows two categories: silence counts as the opposite of the label.
        said = [
            1 - label if math.isnan(judged) else judged
            for judged, label in zip(self.judged, self.labelled, strict=True)
        ]
        raw = bootstrap(n, agreement(self.judged, self.labelled))
        kappa = bootstrap(n, cohen_kappa(said, self.labelled))
        return {
            "judge_agreement": interval_figure(raw, ""),
            "judge_kappa": interval_figure(kappa, ""),
            "judge_silent": figure(silent, "examples", n),
        }


async def judge_agreement(judge: Judge, examples: Sequence[JudgeExample]) -> Agreement:
    """Have a judge judge labelled examples.

    Args:
        judge: to be held against the labels.
        examples: labelled by a person, at least one.

    Raises:
        HarnessError: the judge gave no verdict at all.
    """
    gate = asyncio.Semaphore(IN_FLIGHT)
    failures: list[JudgeFailed] = []

    async def judged(example: JudgeExample) -> float:
        async with gate:
            try:
                verdict = await judge.verdict(example.rubric, example.question, example.answer)
            except JudgeFailed as failed:
                failures.append(failed)
                return math.nan
        return float(verdict.met)

    said = await asyncio.gather(*map(judged, examples))
    if len(failures) == len(examples):
        raise HarnessError(str(failures[0]), "Check HARNESS_JUDGE and where it is.")
    labels = tuple(float(example.met) for example in examples)
    wrong = tuple(
        example.id for example, mine in zip(examples, said, strict=True) if mine != example.met
    )
    return Agreement(tuple(said), labels, wrong)
