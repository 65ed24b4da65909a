"""Multi-query associative recall: the value that was given with a key.

    Input:   c 7  a 2  f 7  b 0  ·  a  ·  ·  f  c  ·  b
    Label:                          2        7  7     0

The sequence begins with `options.pairs` pairs of a key and a value; no key occurs twice. Then each key is asked for
once, in random order, between blanks. The state has to hold all pairs, so that the score depends on its size: attention
solves it with one layer, a recurrent cell needs a state that grows with the number of pairs (Arora et al. 2023,
https://arxiv.org/abs/2312.04927).

With `options.joined=true` a key and its value are one symbol, as in `c7 a2 f7 b0 · a · · f c · b`: a cell that forms a
key and a value from the same input, as linear attention and the delta rule do, cannot join two symbols without a
convolution or a layer before it.

Chance is 1 / `options.values`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqtasks import register_task, setting
from seqtasks.task_types import ProbeOptions, ProbeTask

BLANK = 1  # number of the symbol ·


@dataclass(frozen=True)
class Options(ProbeOptions):
    """Options of associative recall."""

    length: int = setting(
        48, "number of symbols of a training sequence, at least three for each pair (two if joined)", ge=2
    )
    pairs: int = setting(8, "number of pairs of a key and a value", ge=1, le=1000)
    unused: int = setting(8, "number of keys that a sequence does not have", ge=0, le=1000)
    values: int = setting(16, "number of different values", ge=2, le=1000)
    joined: bool = setting(False, "a key and its value are one symbol")


@register_task("associative_recall")
class AssociativeRecall(ProbeTask):
    """Multi-query associative recall: values by their keys."""

    topology = "synced"
    builtin = "generated"
    Options = Options

    @property
    def shortest(self) -> int:  # type: ignore[override]
        return (2 if self.options.joined else 3) * self.options.pairs

    @property
    def keys(self) -> int:
        """Number of different keys."""
        return self.options.pairs + self.options.unused

    @property
    def symbols(self) -> list[str]:
        keys = [f"k{n}" for n in range(self.keys)]
        pairs = [key + value for key in keys for value in self.labels]
        return ["·", *keys, *(pairs if self.options.joined else self.labels)]

    @property
    def labels(self) -> list[str]:
        return [f"v{n}" for n in range(self.options.values)]

    def draw(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        o = self.options
        shuffled: np.ndarray = rng.permuted(np.tile(np.arange(self.keys), (count, 1)), axis=1)
        keys = shuffled[:, : o.pairs] + BLANK + 1
        values, first = rng.integers(o.values, size=keys.shape), BLANK + 1 + self.keys
        x = np.full((count, length), BLANK)
        if o.joined:
            x[:, : o.pairs] = (keys - BLANK - 1) * o.values + values + first
        else:
            x[:, 0 : 2 * o.pairs : 2] = keys
            x[:, 1 : 2 * o.pairs : 2] = values + first
        asked = np.arange(o.pairs if o.joined else 2 * o.pairs, length)
        places: np.ndarray = rng.permuted(np.tile(asked, (count, 1)), axis=1)
        np.put_along_axis(x, places[:, : o.pairs], keys, axis=1)  # places are in random order
        return x

    def targets(self, x: np.ndarray) -> np.ndarray:
        keys, rows = self.keys, np.arange(len(x))
        values, y = np.full((len(x), keys), -1), np.full(x.shape, -1)
        if self.options.joined:
            for t, symbols in enumerate(x.T):
                pair = symbols - BLANK - 1 - keys
                stored, asks = pair >= 0, (symbols > BLANK) & (pair < 0)
                values[rows[stored], pair[stored] // self.options.values] = pair[stored] % self.options.values
                y[asks, t] = values[rows[asks], symbols[asks] - BLANK - 1]
            return y
        for t, symbols in enumerate(x.T):
            key = symbols - BLANK - 1
            is_key = (key >= 0) & (key < keys)
            following = x[:, t + 1] - BLANK - 1 - keys if t + 1 < x.shape[1] else np.full(len(x), -1)
            given, place = following >= 0, np.clip(key, 0, keys - 1)
            y[:, t] = np.where(is_key & ~given, values[rows, place], -1)
            stored = is_key & given
            values[rows[stored], place[stored]] = following[stored]
        return y
