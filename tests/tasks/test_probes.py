"""Probes: sequences and labels against recomputations in plain Python, and what is learnt from them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.reporter import Reporter
from seqtasks.data.source import Source
from seqtasks.training import train

SOURCE = Source("builtin", "generated")
Labels = list[str | None]


def parity(words: Sequence[str]) -> Labels:
    return [("even", "odd")[words[: t + 1].count("1") % 2] for t in range(len(words))]


def even_pairs(words: Sequence[str]) -> Labels:
    changes = [sum(a != b for a, b in itertools.pairwise(words[: t + 1])) for t in range(len(words))]
    return [("even", "odd")[number % 2] for number in changes]


def cycle_navigation(words: Sequence[str]) -> Labels:
    return [str((words[: t + 1].count("+") - words[: t + 1].count("-")) % 5) for t in range(len(words))]


def modular_arithmetic(words: Sequence[str]) -> Labels:
    return [str(eval("".join(words[: t + 1])) % 5) if t % 2 == 0 else None for t in range(len(words))]


def permutations(words: Sequence[str]) -> Labels:
    labels, things = [], list(range(1, len(words[0]) + 1))
    for word in words:
        # Digit i of the word is where the thing at place i goes.
        things = [int(word[place - 1]) for place in things]
        labels.append("".join(map(str, things)))
    return labels


def dyck(words: Sequence[str]) -> Labels:
    labels, stack = [], []
    for word in words:
        if word in "([":
            stack.append({"(": ")", "[": "]"}[word])
            labels.append(None)
        else:
            assert stack.pop() == word, "not the beginning of a well-formed sequence"
            labels.append(stack[-1] if stack else "–")
        assert len(stack) <= 8
    return labels


def associative_recall(words: Sequence[str]) -> Labels:
    values, labels = {}, []
    for word, following in itertools.pairwise([*words, "end"]):
        if word[0] == "k" and following[0] == "v":
            assert word not in values
            values[word] = following
            labels.append(None)
        else:
            labels.append(values.pop(word) if word[0] == "k" else None)
    assert not values, "a key is not asked for"
    return labels


def selective_copying(words: Sequence[str]) -> Labels:
    copied = [word for word in words if word not in "·:"]
    assert words[-len(copied) :] == [":"] * len(copied) and words.count(":") == len(copied) == 8
    return [None] * (len(words) - len(copied)) + copied


def induction_heads(words: Sequence[str]) -> Labels:
    first, second = [t for t, word in enumerate(words) if word == "!"]
    assert second == len(words) - 1 and second > first + 1
    return [None] * second + [words[first + 1]]


def flip_flop(words: Sequence[str]) -> Labels:
    memory, labels = None, []
    for instruction, bit in zip(words[::2], words[1::2], strict=True):
        if instruction == "w":
            memory = bit
        assert instruction in "wir" and (instruction != "r" or bit == memory)
        labels += [memory if instruction == "r" else None, None]
    return labels


ORACLES: dict[str, Callable[[Sequence[str]], Labels]] = {
    oracle.__name__: oracle
    for oracle in (
        *(parity, even_pairs, cycle_navigation, modular_arithmetic, permutations, dyck),
        *(associative_recall, selective_copying, induction_heads, flip_flop),
    )
}
CASES = [
    *((name, {}) for name in ORACLES),
    ("permutations", {"size": 5}),
    ("dyck", {"kinds": 1}),
    ("associative_recall", {"pairs": 3, "unused": 0, "length": 9}),
]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_labels(name: str, options: dict[str, int]) -> None:
    cls = plugins.load_task(name)
    task = cls(cls.Options(examples=90, tests=12, **options))
    splits = task.load(SOURCE, 0)
    assert len(task.classes) == len(set(task.classes)) and len(task.symbols) == len(set(task.symbols))
    occurred = set()
    for part in (splits.train, splits.test):
        for row in range(len(part)):
            words = [task.symbols[n - 1] for n in part.inputs["tokens"].row(row)]
            labels = [task.classes[n] if n >= 0 else None for n in part.targets.row(row).tolist()]
            assert labels == ORACLES[name](words), words
            assert any(labels) and task.label(" ".join(words)) == [one for one in labels if one is not None]
            occurred |= set(labels) - {None}
    assert occurred == set(task.classes)
    assert splits.train.inputs["tokens"].lengths.max() <= task.options.length
    assert splits.test.inputs["tokens"].lengths.max() >= (task.options.test_length or task.options.length) - 1


def test_wrong_expressions_have_no_labels_after_the_error() -> None:
    label = {name: plugins.load_task(name)().label for name in ("modular_arithmetic", "dyck", "flip_flop")}
    assert label["modular_arithmetic"]("1 + + 2") == ["1"]
    assert label["modular_arithmetic"]("2*3-4") == ["2", "1", "2"]
    assert label["dyck"]("()]()") == ["–"]
    assert label["dyck"]("([)]") == []
    assert label["flip_flop"]("r1w0r0") == ["0"]


def test_s5_has_the_products_of_tuples() -> None:
    cls = plugins.load_task("permutations")
    task = cls(cls.Options(size=5))
    assert len(task.symbols) == 120 and task.label("21345 21345") == ["21345", "12345"]
    assert task.label("23451 23451 23451 23451 23451")[-1] == "12345"
    assert task.label("21345 13245") != task.label("13245 21345")  # not commutative


def trained(name: str, cell: str, tmp_path, *words: str):
    settings = [f"encoder.cell={cell}", "options.examples=1500", "train.epochs=4", "train.batch_size=32",
                "options.length=16", "options.test_length=64", "options.tests=60", "encoder.units=32",
                "train.learning_rate=1e-2", *words]  # fmt: skip
    config = resolve(name, plugins.load_task(name).Options, settings)
    return train.run(config, plugins.load_task(name), tmp_path, Reporter(quiet=True))[0]


def test_a_gated_cell_keeps_the_parity_of_longer_sequences(tmp_path) -> None:
    assert trained("parity", "lstm", tmp_path).value > 0.95


@pytest.mark.slow
def test_a_linear_cell_with_positive_eigenvalues_does_not(tmp_path) -> None:
    linear = trained("parity", "min_gru", tmp_path)
    assert linear.value < 0.6 and np.isfinite(linear.scores["nll"])
