"""Multinomial logistic regression."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]  # of single or double precision


def fit_softmax(
    features: Floats,
    labels: NDArray[np.int64],
    classes: int,
    *,
    penalty: float,
    passes: int,
) -> NDArray[np.float64]:
    """Fit by L-BFGS, classes weighing the same however many examples each has.

    Args:
        features: [n, d]; the work is done in their precision.
        labels: int64 [n]; each class has one at least.
        classes: how many.
        penalty: of a weight's square, against one example's loss; the bias is not penalised.
        passes: over the examples, at most, that improve the fit.

    Returns:
        float64 [classes, d + 1], the bias last.
    """
    count, width = features.shape
    share: Floats = (1 / (classes * np.bincount(labels, minlength=classes)))[labels]
    share = share.astype(features.dtype)
    wide = np.hstack([features, np.ones((count, 1), features.dtype)])
    rows = np.arange(count)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(classes, width + 1).astype(features.dtype)
        chance: Floats = wide @ weights.T
        chance -= chance.max(1, keepdims=True)
        right = chance[rows, labels]
        np.exp(chance, out=chance)
        sums = chance.sum(1)
        weights[:, -1] = 0
        value = float(share @ (np.log(sums) - right)) + penalty / count / 2 * float(
            np.vdot(weights, weights)
        )
        chance *= (share / sums)[:, None]
        chance[rows, labels] -= share
        gradient = chance.T @ wide + penalty / count * weights
        return value, gradient.ravel().astype(np.float64)

    from scipy.optimize import minimize  # slow to import, and only a fit needs it

    found = minimize(
        loss,
        np.zeros(classes * (width + 1)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": passes},
    )
    return np.asarray(found.x).reshape(classes, width + 1)
