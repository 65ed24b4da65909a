"""Generated scenes of digits with captions about their number, class and position.

    a three above two sevens
    two fives right of three eights
    three nines

The smaller digit comes first, so that each scene has one correct caption. A correct caption requires counting,
the relation of the two groups, and their order.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from seqtasks.core.arrays import IntArray, PixelArray
from seqtasks.data.splits import Splits

SINGULAR = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PLURAL = ("zeros", "ones", "twos", "threes", "fours", "fives", "sixes", "sevens", "eights", "nines")
COUNTS = ("a", "two", "three")
RELATIONS = ("above", "below", "left of", "right of")
SHARES = {"validation": 0.1, "test": 0.2}  # fractions of all combinations
ALONE = -1  # instead of the number of a relation: the scene has only one group


def combinations() -> dict[str, IntArray]:
    """Combinations of digits, counts and relations by split.

    No combination is in two splits, and every word of the captions is in each split.

    Returns:
        Combinations, `(combinations, 5)`: smaller digit, its count - 1, number of the relation or `ALONE`, larger
        digit, its count - 1.
    """
    alone = [(d, n, ALONE, 0, 0) for d in range(10) for n in range(3)]
    both = [(d, n, r, e, m) for d, e in itertools.combinations(range(10), 2) for r, n, m in np.ndindex(4, 3, 3)]
    rng = np.random.default_rng(0)
    parts: dict[str, list[IntArray]] = {"train": [], "validation": [], "test": []}
    for kind in (alone, both):
        rows, begin = rng.permutation(np.array(kind)), 0
        for part, share in SHARES.items():
            count = round(share * len(rows))
            parts[part].append(rows[begin : begin + count])
            begin += count
        parts["train"].append(rows[begin:])
    return {part: np.concatenate(rows) for part, rows in parts.items()}


def sentence(combination: IntArray) -> str:
    """Caption of a combination.

    Args:
        combination: A row of `combinations`, `(5,)`.

    Example:
        >>> from seqtasks.data.image.digit_scenes import sentence
        >>> sentence([3, 0, 0, 7, 1])
        'a three above two sevens'
    """
    d, n, relation, e, m = (int(number) for number in combination)
    first, second = _group(d, n), _group(e, m)
    return first if relation == ALONE else f"{first} {RELATIONS[relation]} {second}"


def _group(digit: int, count: int) -> str:
    if count:
        return f"{COUNTS[count]} {PLURAL[digit]}"
    return f"{'an' if digit == 8 else COUNTS[0]} {SINGULAR[digit]}"


@dataclass(frozen=True)
class Scenes:
    """Scenes that are drawn on demand; each depends on the seed, the epoch and its number only.

    Attributes:
        combinations: Combination of each scene, `(scenes, 5)`, see `combinations`.
        numbers: Number of each scene, `(scenes,)`.
        digits: Images of digits, uint8 `(images, tile, tile)`.
        members: Indices of the images of each digit.
        seed: Random seed.
    """

    combinations: IntArray
    numbers: IntArray
    digits: PixelArray
    members: tuple[IntArray, ...]
    seed: int

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: slice | IntArray) -> Scenes:
        return Scenes(self.combinations[index], self.numbers[index], self.digits, self.members, self.seed)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a scene in pixels: four times those of a digit."""
        return 4 * self.digits.shape[1], 4 * self.digits.shape[2]

    def images(self, epoch: int) -> PixelArray:
        """Draws all scenes for an epoch, uint8 `(scenes, height, width)`."""
        canvases = np.zeros((len(self), *self.shape), np.uint8)
        for canvas, number, row in zip(canvases, self.numbers, self.combinations, strict=True):
            self._draw(canvas, row, np.random.default_rng((self.seed, epoch, int(number))))
        return canvases

    def _draw(self, canvas: PixelArray, combination: IntArray, rng: np.random.Generator) -> None:
        d, n, relation, e, m = (int(number) for number in combination)
        groups = [(d, n + 1)] if relation == ALONE else [(d, n + 1), (e, m + 1)]
        # The digits of a group are in a row if one group is above the other, else in a column.
        in_rows = relation in (0, 1) or (relation == ALONE and rng.random() < 0.5)
        if relation in (1, 3):
            groups.reverse()
        tile, longest = self.digits.shape[1], max(count for _, count in groups)
        half = longest * tile / 2
        # Both groups have about the same middle; otherwise "above" could be read as "left of".
        middle = rng.uniform(half + tile / 4, 4 * tile - half - tile / 4)
        for index, (digit, count) in enumerate(groups):
            along = round(middle + rng.uniform(-tile / 4, tile / 4) - count * tile / 2)
            if relation == ALONE:
                across = int(rng.integers(0, 3 * tile + 1))
            else:
                across = 2 * tile * index + int(rng.integers(0, tile + 1))
            for i in range(count):
                image = self.digits[rng.choice(self.members[digit])]
                top, left = (across, along + i * tile) if in_rows else (along + i * tile, across)
                np.maximum(
                    canvas[top : top + tile, left : left + tile],
                    image,
                    out=canvas[top : top + tile, left : left + tile],
                )


def scenes(splits: Splits, counts: dict[str, int]) -> dict[str, Scenes]:
    """Generates scenes of labelled images of digits; each split uses its images and combinations only.

    Args:
        splits: Splits with the input `image`, uint8 `(examples, side, side)`, and classes 0 to 9. Images with a
            side above 16 pixels are scaled by 1/2 until it is at most 16.
        counts: Number of scenes of each split.

    Returns:
        Scenes by split.
    """
    parts = {}
    for seed, (part, rows) in enumerate(combinations().items()):
        examples = getattr(splits, part)
        digits = examples.inputs["image"]
        while digits.shape[1] > 16:
            n, height, width = digits.shape
            digits = digits.reshape(n, height // 2, 2, width // 2, 2).mean(axis=(2, 4)).round().astype(np.uint8)
        members = tuple(np.flatnonzero(examples.targets == digit) for digit in range(10))
        drawn = rows[np.random.default_rng(seed).integers(0, len(rows), counts[part])]
        parts[part] = Scenes(drawn, np.arange(counts[part]), digits, members, seed)
    return parts
