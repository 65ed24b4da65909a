"""Digit scenes: captions are true, splits are disjoint, drawing is reproducible."""

import re

import numpy as np
import pytest

from seqtasks.data.image.digit_scenes import ALONE, PLURAL, RELATIONS, SINGULAR, Scenes, combinations, scenes, sentence
from seqtasks.data.image.labelled_images import load
from seqtasks.data.source import Source

COUNTS = {"train": 200, "validation": 20, "test": 20}


@pytest.fixture(scope="module")
def scenes_by_split():
    return scenes(load(Source("builtin", "digits")), COUNTS)


def marked(rows, seed=0):
    """Scenes with a tile of brightness 20 + 20 d as digit d, so that the digits can be recognized."""
    digits = np.stack([np.full((8, 8), 20 + 20 * d, np.uint8) for d in range(10)])
    members = tuple(np.array([d]) for d in range(10))
    return Scenes(np.array(rows), np.arange(len(rows)), digits, members, seed)


def test_no_combination_is_in_two_splits_and_all_words_are_in_each():
    parts = {part: {tuple(row) for row in rows.tolist()} for part, rows in combinations().items()}
    assert sum(map(len, parts.values())) == len(set.union(*parts.values())) == 30 + 45 * 4 * 9
    words = [{word for row in combinations()[part] for word in sentence(row).split()} for part in parts]
    assert words[0] == words[1] == words[2]
    assert len(parts["test"]) == pytest.approx(0.2 * 1650, abs=1)


def test_a_sentence_is_true_of_its_scene():
    rows = np.concatenate(list(combinations().values()))
    rows = rows[np.random.default_rng(0).permutation(len(rows))[:400]]
    for row, image in zip(rows, marked(rows).images(3), strict=True):
        words = sentence(row)
        match = re.fullmatch(r"(an?|two|three) (\w+)(?: (above|below|left of|right of) (an?|two|three) (\w+))?", words)
        counts, centres = {}, {}
        for d in range(10):
            mask = image == 20 + 20 * d
            if mask.any():
                counts[d], centres[d] = mask.sum() / 64, np.argwhere(mask).mean(0)
        groups = [(match[1], match[2]), (match[4], match[5])][: 1 if match[3] is None else 2]
        digits = [(SINGULAR if n.startswith("a") else PLURAL).index(name) for n, name in groups]
        assert [counts[d] for d in digits] == [{"a": 1, "an": 1, "two": 2, "three": 3}[n] for n, _ in groups]
        assert len(counts) == len(groups) and digits == sorted(digits)
        if match[3]:
            down, right = centres[digits[1]] - centres[digits[0]]
            assert match[3] == (
                ("above" if down > 0 else "below")
                if abs(down) > abs(right)
                else ("left of" if right > 0 else "right of")
            )


def test_grammar():
    assert sentence([8, 0, ALONE, 0, 0]) == "an eight" and sentence([3, 0, 0, 7, 1]) == "a three above two sevens"
    assert sentence([1, 2, RELATIONS.index("right of"), 8, 0]) == "three ones right of an eight"


def test_scenes_follow_from_seed_epoch_and_number(scenes_by_split):
    train = scenes_by_split["train"]
    whole = train.images(4)
    np.testing.assert_array_equal(train[np.array([7, 3])].images(4), whole[[7, 3]])
    np.testing.assert_array_equal(train[5:8].images(4), whole[5:8])
    assert (train.images(5) != whole).any(axis=(1, 2)).all()
    assert whole.shape == (200, 32, 32) == (len(train), *train.shape)


def test_large_digits_are_halved(scenes_by_split):
    splits = load(Source("builtin", "digits"))
    for part in (splits.train, splits.validation, splits.test):
        part.inputs["image"] = np.kron(part.inputs["image"], np.ones((4, 4), np.uint8))
    larger = scenes(splits, COUNTS)["train"]
    assert larger.shape == (64, 64)
    np.testing.assert_array_equal(larger.digits[:, ::2, ::2], scenes_by_split["train"].digits)
