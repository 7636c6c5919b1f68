"""What can go wrong with a model, by what its caller can do about it."""

from harness.errors import HarnessError


class UnknownModel(HarnessError):
    """A message or a setting names a model that the settings do not describe."""


class ModelError(Exception):
    """A model call failed; `permanent` says that trying the same again can not help."""

    code = "model_error"
    permanent = False


class ModelRateLimited(ModelError):
    """The model's server asks to come back later.

    Attributes:
        retry_after_s: seconds it asked for, None when it did not say.
    """

    code = "model_rate_limited"

    def __init__(self, message: str, retry_after_s: float | None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelUnavailable(ModelError):
    """The model's server could not be reached, or failed by itself."""

    code = "model_unavailable"


class PromptTooLong(ModelError):
    """The message does not fit its model's window, whatever else is left out."""

    code = "prompt_too_long"
    permanent = True


class ModelRefused(ModelError):
    """The model's server understood the request and will not serve it."""

    code = "model_refused"
    permanent = True


class ModelStalled(ModelError):
    """The model sent nothing for too long."""

    code = "model_stalled"


class StreamCut(ModelError):
    """The stream ended before the model said that it was done."""

    code = "model_stream_cut"


class Stopped(Exception):
    """Whoever receives the text wants no more of it; the model's request is closed."""
