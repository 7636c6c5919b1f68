"""From pushes of one message's stream to the text that its reader sees."""

from harness.models import StreamView
from harness.store.results import StreamState


class Merger:
    """Accumulates the deltas of one message; a new attempt replaces its turn's text."""

    def __init__(self) -> None:
        self.seen = -1  # the last sequence number taken
        self._texts: dict[tuple[int, int], str] = {}
        self._last: StreamState | None = None

    def add(self, view: StreamView) -> StreamState | None:
        """Take one push; answers the reader's new state, or None when nothing changed for it."""
        new = [delta for delta in view.deltas if delta.seq > self.seen]
        for delta in new:
            place = (delta.turn, delta.attempt)
            self._texts[place] = self._texts.get(place, "") + delta.text
            self.seen = delta.seq
        text = view.content if view.content is not None else self._join(view.attempts)
        state = StreamState(**{**dict(view), "deltas": new}, text=text)
        if self._last is not None and state == self._last.model_copy(update={"deltas": new}):
            return None
        self._last = state
        return state

    def _join(self, attempts: list[int]) -> str:
        return "".join(self._texts.get(place, "") for place in enumerate(attempts))
