"""Probes: sequences and labels against recomputations in plain Python, and what is learnt from them."""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError
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


def joined_recall(words: Sequence[str]) -> Labels:
    values, labels = {}, []
    for word in words:
        key, _, value = word.partition("v")
        if value:
            assert key not in values
            values[key] = f"v{value}"
        labels.append(values.pop(key) if key != "·" and not value else None)
    assert not values, "a key is not asked for"
    return labels


def place_of_the_first(words: Sequence[str]) -> Labels:
    size, place = len(words[0]), 1
    labels = []
    for word in words:
        assert word in ("213", "231", "21345", "23451")
        place = {1: 2, 2: 1}.get(place, place) if word.startswith("21") else place % size + 1
        labels.append(str(place))
    return labels


def list_ops(words: Sequence[str]) -> Labels:
    names = {"[max": "max", "[min": "min", "[sm": "total", "[med": "middle"}
    code = "".join(f"{names[word]}([" if word in names else "])," if word == "]" else f"{word}," for word in words)
    known = {"max": max, "min": min, "total": lambda x: sum(x) % 10, "middle": lambda x: int(statistics.median(x))}
    return [None] * (len(words) - 1) + [str(eval(code, known)[0])]


def boolean_formulas(words: Sequence[str]) -> Labels:
    code = "".join({"1": "True", "0": "False", "!": "True^"}.get(word, word) for word in words)
    for _ in range(len(words)):  # not binds more tightly than the others do in Python
        code = re.sub(r"True\^(True|False|\([^()]*\))", lambda found: f"(not {found[1]})", code)
        code = re.sub(r"\((not )?[^()!]*\)", lambda found: str(bool(eval(found[0]))), code)
    return [None] * (len(words) - 1) + [str(int(eval(code)))]


def number_memory(words: Sequence[str]) -> Labels:
    assert words[-3:] == [":"] * 3 and set(words[3:-3]) <= set("abcd")
    return [None] * (len(words) - 3) + list(words[:3])


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
        *(list_ops, boolean_formulas, number_memory),
    )
}
CASES = [
    *((name, {}) for name in ORACLES),
    ("permutations", {"size": 5}),
    ("dyck", {"kinds": 1}),
    ("associative_recall", {"pairs": 3, "unused": 0, "length": 9}),
]
SLACK = {"list_ops": 3, "boolean_formulas": 3}  # no expression has every length


@pytest.mark.parametrize(("name", "options"), CASES)
def test_labels(name: str, options: dict[str, int]) -> None:
    check_labels(name, options, ORACLES[name])


def test_labels_with_easier_options() -> None:
    joined = {"joined": True, "pairs": 3, "unused": 1, "length": 9, "values": 4}
    check_labels("associative_recall", joined, joined_recall)
    check_labels("permutations", {"size": 5, "moves": "two", "tracked": "first"}, place_of_the_first)


def check_labels(name: str, options: dict[str, Any], oracle: Callable[[Sequence[str]], Labels]) -> None:
    """Compares all labels of some sequences with those of an oracle."""
    cls = plugins.load_task(name)
    task = cls(cls.Options(examples=90, tests=12, **options))
    splits = task.load(SOURCE, 0)
    assert len(task.classes) == len(set(task.classes)) and len(task.symbols) == len(set(task.symbols))
    occurred = set()
    for part in (splits.train, splits.test):
        for row in range(len(part)):
            words = [task.symbols[n - 1] for n in part.inputs["tokens"].row(row)]
            labels = [task.classes[n] if n >= 0 else None for n in part.targets.row(row).tolist()]
            assert labels == oracle(words), words
            assert any(labels) and task.label(" ".join(words)) == [one for one in labels if one is not None]
            occurred |= set(labels) - {None}
    assert occurred == set(task.classes)
    assert splits.train.inputs["tokens"].lengths.max() <= task.options.length
    assert splits.test.inputs["tokens"].lengths.max() >= (task.options.test_length or task.options.length) - SLACK.get(
        name, 1
    )


def test_wrong_expressions_have_no_labels_after_the_error() -> None:
    label = {name: plugins.load_task(name)().label for name in ("modular_arithmetic", "dyck", "flip_flop")}
    assert label["modular_arithmetic"]("1 + + 2") == ["1"]
    assert label["modular_arithmetic"]("2*3-4") == ["2", "1", "2"]
    assert label["dyck"]("()]()") == ["–"]
    assert label["dyck"]("([)]") == []
    assert label["flip_flop"]("r1w0r0") == ["0"]
    cls = plugins.load_task("boolean_formulas")
    label = cls(cls.Options(labels="each")).label
    assert label("(1&((0|1)^!1))") == ["1", "1", "1"] and label("!(1&1)") == ["1"]  # of (1&1); ! has no bracket
    assert label("(1&&1)") == label("(1)") == label("1&1") == []
    cls = plugins.load_task("list_ops")
    label = cls(cls.Options(labels="each")).label
    assert label("[max 2 [min 4 7 ] [sm 8 5 ] 0 ]") == ["4", "3", "4"] and label("[max ]") == label("] 1") == []


def test_lengths_that_no_expression_has() -> None:
    for name in ("list_ops", "boolean_formulas"):
        cls = plugins.load_task(name)
        with pytest.raises(ConfigError, match=r"length is \d+; allowed: at most \d+, the longest sequence with"):
            cls(cls.Options(depth=2)).load(SOURCE, 0)


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
