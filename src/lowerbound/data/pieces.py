"""The pairs of pieces that texts are best cut by, learned from the training part."""

import heapq
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np

from lowerbound.distributions.pieces import BYTES, WORD, joined

#: Most pairs that are learned, texts that they are learned from, and times that one must occur.
MOST, TEXTS, FEWEST = 744, 5_000, 10


class Words:
    """The words of the first texts of a training part."""

    def __init__(self) -> None:
        self.counts, self.texts = Counter[bytes](), 0

    def add(self, rows: np.ndarray) -> None:
        """Take in texts `(N, T)`, bytes that are ended by 0."""
        for row in rows[: max(0, TEXTS - self.texts)].astype(np.uint8):
            self.counts.update(WORD.findall(row.tobytes().partition(b"\0")[0]))
        self.texts += len(rows)

    def pairs(self) -> tuple[tuple[int, ...], ...]:
        """Learn pairs, the most frequent first; each makes up the next piece."""
        every = sorted(self.counts.items())
        words = [(list(word), count) for word, count in every if count > 1]
        counts: Counter[tuple[int, int]] = Counter()
        where: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
        for number, (parts, count) in enumerate(words):
            _count(parts, count, number, counts, where)
        waiting = [(-count, pair) for pair, count in counts.items()]
        heapq.heapify(waiting)
        found: list[tuple[int, ...]] = []
        while waiting and len(found) < MOST:
            count, pair = heapq.heappop(waiting)
            if -count != counts[pair]:
                if counts[pair] > 0:
                    heapq.heappush(waiting, (-counts[pair], pair))
                continue
            if counts[pair] < FEWEST:
                break
            changed: set[tuple[int, int]] = set()
            for number in sorted(where.pop(pair)):
                parts, times = words[number]
                _count(parts, -times, number, counts, where)
                parts = joined(parts, pair, BYTES + len(found))
                words[number] = parts, times
                changed |= _count(parts, times, number, counts, where)
            for one in changed:
                heapq.heappush(waiting, (-counts[one], one))
            found.append(pair)
            counts.pop(pair, None)
        return tuple(found)


def _count(
    parts: list[int],
    times: int,
    number: int,
    counts: Counter[tuple[int, int]],
    where: defaultdict[tuple[int, int], set[int]],
) -> set[tuple[int, int]]:
    pairs = list(pairwise(parts))
    for pair in pairs:
        counts[pair] += times
        if times > 0:
            where[pair].add(number)
    return set(pairs)
