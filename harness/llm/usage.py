"""What a model call cost."""

from collections.abc import Mapping

from harness.models import Usage
from harness.settings import ModelPrice

PER_TOKENS = 1_000_000


def cost(usage: Usage, model: str, prices: Mapping[str, ModelPrice]) -> float | None:
    """The price of a usage, in the currency of the price table.

    Args:
        usage: tokens of one or more calls to the model; cached tokens are among its prompt tokens.
        model: the model's name, as in the table.
        prices: prices per million tokens, by model.

    Returns:
        None for a model that the table does not have: an unknown price is not zero.
    """
    price = prices.get(model)
    if price is None:
        return None
    cached_price = price.prompt if price.cached is None else price.cached
    fresh = usage.prompt_tokens - usage.cached_tokens
    total = (
        fresh * price.prompt
        + usage.cached_tokens * cached_price
        + usage.completion_tokens * price.completion
    )
    return total / PER_TOKENS
