import numpy as np
from scipy.special import softmax

from harness.tools.calibration import fit

TOOLS = 4


def made(count: int, need: float) -> tuple[fit.Cases, np.ndarray]:
    """Cases drawn from known weights, and each one's chances."""
    rng = np.random.default_rng(11)
    columns = rng.normal(size=(count, TOOLS, len(fit.COLUMNS)))
    odds = columns @ rng.normal(scale=0.8, size=len(fit.COLUMNS))
    needed = 1 / (1 + np.exp(odds).sum(1) ** -need)
    chances = np.column_stack([softmax(odds, axis=1) * needed[:, None], 1 - needed])
    labels = np.array([rng.choice(TOOLS + 1, p=each) for each in chances])
    everywhere = np.ones((count, TOOLS), np.bool_)
    counts = np.full(count, 1 / count)
    return fit.Cases(columns, everywhere, labels, np.arange(count), counts), chances


def test_the_fit_finds_how_likely_each_tool_and_none_is():
    cases, chances = made(4000, need=0.4)
    weights = fit._fit(cases)
    found, _ = fit._shares(cases, weights)
    assert np.abs(found - chances).mean() < 0.02
    assert abs(weights[-1] - 0.4) < 0.1
