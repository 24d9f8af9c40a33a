"""Texts cut into pieces: bytes, and pairs of pieces that often stand together."""

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

#: Stretches that pieces may lie in: a word and the space before it, or further spaces.
WORD = re.compile(rb" ?[^ ]+| ")
#: The pieces that are bytes; 0 ends a text.
BYTES = 256


class Pieces:
    """A way to cut texts: in each word the pair that was learned first is joined first.

    Args:
        pairs: The two pieces that make up piece 256, 257, ... each; those before it.

    Source: Sennrich, Haddow & Birch (2016), arXiv 1508.07909; over bytes.
    """

    def __init__(self, pairs: Sequence[Sequence[int]]) -> None:
        self.pairs = tuple((int(a), int(b)) for a, b in pairs)
        self.rank = {pair: number for number, pair in enumerate(self.pairs)}
        self.known: dict[bytes, list[int]] = {}

    @property
    def levels(self) -> int:
        """How many pieces there are."""
        return BYTES + len(self.pairs)

    @cached_property
    def spelling(self) -> list[bytes]:
        """The bytes of each piece; none of the end."""
        found = [b"", *(bytes([one]) for one in range(1, BYTES))]
        for one, other in self.pairs:
            found.append(found[one] + found[other])
        return found

    def of_word(self, word: bytes) -> list[int]:
        """Cut one word."""
        if word not in self.known:
            parts = list(word)
            while len(parts) > 1:
                ranks = [self.rank.get(pair, len(self.pairs)) for pair in pairwise(parts)]
                best = min(ranks)
                if best == len(self.pairs):
                    break
                parts = joined(parts, self.pairs[best], BYTES + best)
            self.known[word] = parts
        return self.known[word]

    def cut(self, rows: Tensor) -> Tensor:
        """Cut texts `(N, T)`, bytes that are ended and filled by 0, to `(N, T')`, likewise.

        Rows that do not end stay without an end, if they fill T.
        """
        bytes_of = rows.to(torch.uint8).cpu().numpy()
        found = []
        for row in bytes_of:
            text, end, _ = row.tobytes().partition(b"\0")
            parts = [piece for word in WORD.findall(text) for piece in self.of_word(word)]
            found.append(parts + [0] * bool(end))
        cut = np.zeros((len(found), max(map(len, found), default=1)), np.int64)
        for own, parts in zip(cut, found, strict=True):
            own[: len(parts)] = parts
        return torch.from_numpy(cut).to(rows.device)

    def ends(self, cut: Tensor) -> Tensor:
        """Return the place of the last byte of each piece of `(N, T')`; the end has one, too."""
        sizes = torch.tensor([max(1, len(one)) for one in self.spelling], device=cut.device)
        return sizes[cut].cumsum(dim=-1) - 1

    def spelt(self, cut: Tensor, longest: int) -> Tensor:
        """Return the bytes of pieces `(N, T')`, ended and filled to `(N, longest)`."""
        whole = np.zeros((len(cut), longest), np.uint8)
        for row, parts in zip(whole, cut.tolist(), strict=True):
            text = b"".join(self.spelling[one] for one in parts)[: longest - 1]
            row[: len(text)] = np.frombuffer(text, np.uint8)
        return torch.from_numpy(whole).long().to(cut.device)


def joined(parts: list[int], pair: tuple[int, int], made: int) -> list[int]:
    """Put a piece in place of each of its pairs, from the left."""
    found: list[int] = []
    place = 0
    while place < len(parts):
        both = tuple(parts[place : place + 2]) == pair
        found.append(made if both else parts[place])
        place += 2 if both else 1
    return found
