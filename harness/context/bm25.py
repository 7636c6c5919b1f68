"""BM25 over documents that arrive one at a time."""

import math
from array import array
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

# Measured on conversations: b is as small as is good there, but with 0 length would win.
K1 = 0.9
B = 0.1

Scores = NDArray[np.float32]


class LexicalIndex:
    """An inverted index that grows; documents are numbered from 0 as they are added.

    Scores are BM25's (Robertson and Zaragoza 2009) with Lucene's never-negative idf. Statistics
    are kept up to date by each addition, so nothing is ever rebuilt.
    """

    def __init__(self, k1: float = K1, b: float = B) -> None:
        self.k1 = k1
        self.b = b
        self._documents: dict[str, array[int]] = {}  # of each term, ascending
        self._counts: dict[str, array[int]] = {}
        self._lengths = array("i")

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, terms: Iterable[str]) -> None:
        """Add the next document.

        Args:
            terms: its index terms, with repeats.
        """
        number = len(self._lengths)
        counted = Counter(terms)
        for term, count in counted.items():
            self._documents.setdefault(term, array("i")).append(number)
            self._counts.setdefault(term, array("i")).append(count)
        self._lengths.append(counted.total())

    def score(self, terms: Iterable[str]) -> Scores:
        """BM25 of every document for a query's terms, float32 [documents]."""
        return self._score(terms, None, np.array(self._lengths, np.float32), self.k1, self.b)

    def ceiling(self, terms: Iterable[str]) -> float:
        """More than any document can score for a query's terms; 0 for a query without any."""
        numbers = [len(self._documents.get(term, ())) for term in dict.fromkeys(terms)]
        return sum(_idf(len(self), number) for number in numbers) * (self.k1 + 1)

    @property
    def rarest(self) -> float:
        """More than one term adds to a document's score, however rare it is."""
        return _idf(max(len(self), 1), 1) * (self.k1 + 1)

    def score_groups(
        self, terms: Iterable[str], groups: NDArray[np.int64], k1: float, b: float
    ) -> Scores:
        """BM25 of groups of documents, each taken as one long document.

        Args:
            terms: the query's.
            groups: every document's group, int64 [documents], numbered from 0.
            k1: saturation of a term's count.
            b: how much a group's length counts against it, 0–1.

        Returns:
            float32 [groups].
        """
        lengths = np.bincount(groups, np.array(self._lengths, np.float32)).astype(np.float32)
        return self._score(terms, groups, lengths, k1, b)

    def _score(
        self,
        terms: Iterable[str],
        groups: NDArray[np.int64] | None,
        lengths: Scores,
        k1: float,
        b: float,
    ) -> Scores:
        total = np.zeros(len(lengths), np.float32)
        if not len(lengths):
            return total
        documents = int(np.count_nonzero(lengths))  # a number that no document has counts nothing
        mean = float(lengths.sum()) / max(documents, 1)
        norm = k1 * (1 - b + b * lengths / max(mean, 1.0))
        for term in dict.fromkeys(terms):
            if term not in self._documents:
                continue
            found = np.array(self._documents[term], np.int64)
            counts = np.array(self._counts[term], np.float32)
            if groups is not None:
                summed = np.bincount(groups[found], counts, len(lengths)).astype(np.float32)
                found = np.flatnonzero(summed)
                counts = summed[found]
            idf = _idf(documents, len(found))
            total[found] += idf * counts * (k1 + 1) / (counts + norm[found])
        return total


def _idf(documents: int, having: int) -> float:
    return math.log1p((documents - having + 0.5) / (having + 0.5))
