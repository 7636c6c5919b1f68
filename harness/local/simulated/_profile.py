"""How long a simulated answer is and how fast it comes."""

import math
import random
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import HarnessError


class Profile(BaseModel):
    """Lognormal distributions, each given by its median and the sigma of its logarithm.

    A sigma of 0 makes every draw the median.

    Args:
        ttft_ms: time to the first token, milliseconds.
        itl_ms: time between tokens, milliseconds.
        tokens: length of an answer, tokens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    ttft_ms: float = Field(120.0, ge=0, allow_inf_nan=False)
    ttft_sigma: float = Field(0.4, ge=0, le=4)
    itl_ms: float = Field(12.0, ge=0, allow_inf_nan=False)
    itl_sigma: float = Field(0.4, ge=0, le=4)
    tokens: float = Field(60.0, ge=0, le=100_000)
    tokens_sigma: float = Field(0.5, ge=0, le=4)

    def overridden(self, values: Mapping[str, str]) -> "Profile":
        """This profile with some values replaced; a median given alone is exact (sigma 0).

        Raises:
            HarnessError: a name is unknown or a value is out of range.
        """
        unknown = sorted(set(values) - set(Profile.model_fields))
        if unknown:
            known = ", ".join(Profile.model_fields)
            raise HarnessError(f"unknown simulated parameter {unknown[0]!r}", f"Use one of {known}")
        merged = self.model_dump()
        for median, sigma in (
            ("ttft_ms", "ttft_sigma"),
            ("itl_ms", "itl_sigma"),
            ("tokens", "tokens_sigma"),
        ):
            if median in values:
                merged[sigma] = 0.0
        try:
            return Profile.model_validate({**merged, **values})
        except ValueError as error:
            shown = "&".join(f"{name}={value}" for name, value in values.items())
            raise HarnessError(
                f"simulated parameters {shown!r} are out of range", "Give numbers of at least 0"
            ) from error

    def draw_ttft_s(self, rng: random.Random) -> float:
        """Seconds before the first token."""
        return _draw(self.ttft_ms, self.ttft_sigma, rng) / 1000

    def draw_gaps_s(self, count: int, rng: random.Random) -> list[float]:
        """Seconds before each of the `count` tokens after the first."""
        if self.itl_ms == 0:
            return [0.0] * count
        return [_draw(self.itl_ms, self.itl_sigma, rng) / 1000 for _ in range(count)]

    def draw_tokens(self, rng: random.Random) -> int:
        """Length of an answer in tokens."""
        return round(_draw(self.tokens, self.tokens_sigma, rng))


def _draw(median: float, sigma: float, rng: random.Random) -> float:
    return median * math.exp(sigma * rng.gauss(0, 1)) if sigma else median
