"""Whether a question and its evidence share a content word.

Questions that share none cannot be found by matching words, so figures are reported for them apart.
"""

import re
from functools import lru_cache

import Stemmer

# Function words only: articles, pronouns, auxiliaries, prepositions, conjunctions, question words
# and the adverbs that carry no topic. A longer list would make "shares no word" easier to claim.
_FUNCTION_WORDS = """
a about above after again against ago all almost already also although always am among an and
another any anyone anything are aren around as at away back be because been before behind being
below besides between both but by can cannot could couldn did didn do does doesn doing done don
down during each either else enough ever every everyone everything few for from further get gets
getting go goes going gone got had hadn has hasn have haven having he her here hers herself him
himself his how i if in instead into is isn it its itself just least less let ll many may maybe me
might mine more most much must my myself need neither never no nobody none nor not nothing now of
off often oh ok okay on once one only onto or other others our ours out over own per quite rather
re really s same shall she should shouldn since so some someone something soon still such t than
that the their theirs them then there these they this those though through to too toward under
until up upon us ve very was wasn we well were weren what when where whether which while who whom
whose why will with within without won would wouldn yes yet you your yours yourself d m
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
_WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=1)
def _stemmer() -> Stemmer.Stemmer:
    return Stemmer.Stemmer("english")


def content_stems(text: str) -> frozenset[str]:
    """The stems of a text's words that are not function words.

    Args:
        text: any text; case and punctuation do not matter.

    Source: the Snowball English stemmer (Porter2), https://snowballstem.org/algorithms/english/.
    """
    words = [word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]
    return frozenset(_stemmer().stemWords(words))


def shared_stems(question: str, evidence: list[str]) -> frozenset[str]:
    """The content stems that a question has in common with any of its evidence texts."""
    return content_stems(question) & frozenset[str]().union(*map(content_stems, evidence))
