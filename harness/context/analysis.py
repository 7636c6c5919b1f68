"""Text to index terms: lower case, no stop words, Snowball stems."""

import re
import unicodedata
from datetime import UTC, datetime
from functools import lru_cache

import Stemmer

# Function words, and the words of questions and chat that say nothing of what is asked for.
_STOP_TEXT = """
a about above after again against ago ain all almost along already also although always am among
an and another any anybody anyone anything anyway are aren around as at be became because become
been before being below besides between both but by came can cannot could couldn d did didn do
does doesn doing don done down during each either else ever every everyone everything few for
from further gave get gets getting give given goes going gone gonna got had hadn has hasn have
haven having he hello her here hers herself hey hi him himself his how however i if in into is
isn it its itself just kind know ll lot m made make makes many may maybe me might mine more most
much must mustn my myself need needn neither never no nor not now o of off often oh ok okay on
once one only or other others ought our ours ourselves out over own per perhaps please quite
rather re really s said same say says shall shan she should shouldn since so some someone
something sometimes somewhere soon still such sure t tell than thanks that the their theirs them
themselves then there these they thing things this those though through thus till to together
told too toward towards under unless until up upon us used ve very via was wasn we well went
were weren what whatever when whenever where wherever whether which while who whoever whom whose
why will with within without won would wouldn yeah yes yet you your yours yourself yourselves
"""
STOP_WORDS = frozenset(_STOP_TEXT.split())
_WORD = re.compile(r"\w+")


_TIME = re.compile(
    r"""\b(?: yesterday | today | tonight | tomorrow | ago | last | next | since | until
    | days? | weeks? | weekends? | months? | years? | mornings? | evenings? | noon | midnight
    | (?:mon|tues|wednes|thurs|fri|satur|sun)days? | january | february | march | april | may
    | june | july | august | september | october | november | december | o'clock
    | \d{1,2}(?:st|nd|rd|th) | \d{1,2}:\d\d | \d{4} )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_ASKS_FOR_TIME = re.compile(
    r"\b(?:when|how long|(?:what|which) (?:day|date|time|week|month|year))\b", re.IGNORECASE
)


def names_time(text: str) -> bool:
    """Whether an English text names a time, as "last Friday", "3rd" or "2025"."""
    return _TIME.search(text) is not None


def asks_for_time(query: str) -> bool:
    """Whether an English question asks for a time."""
    return _ASKS_FOR_TIME.search(query) is not None


@lru_cache(maxsize=1)
def _stemmer() -> Stemmer.Stemmer:
    return Stemmer.Stemmer("english")


def words(text: str) -> list[str]:
    """The text's words in lower case, apostrophes and accents removed."""
    plain = text.lower()
    if not plain.isascii():
        decomposed = unicodedata.normalize("NFKD", plain)
        plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return _WORD.findall(plain)


def terms(text: str) -> list[str]:
    """The text's index terms, in order and with repeats.

    A text of stop words alone keeps them, so that it can be found at all.
    """
    found = words(text)
    kept = [word for word in found if word not in STOP_WORDS]
    return list(_stemmer().stemWords(kept or found))


def date_words(sent_at: int) -> str:
    """A time's day as people write it, UTC: "Monday 8 May 2023".

    Args:
        sent_at: milliseconds since 1970, UTC.
    """
    day = datetime.fromtimestamp(sent_at / 1000, UTC)
    return f"{day:%A} {day.day} {day:%B %Y}"
