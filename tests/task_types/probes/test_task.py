"""Probe task: lengths, padding and scored steps, scores and baselines against loops in plain Python, predictions."""

from __future__ import annotations

import itertools
from collections import Counter

import keras
import numpy as np
import pytest

from seqtasks.core.config import NoOptions
from seqtasks.core.errors import ConfigError
from seqtasks.data.source import Source
from seqtasks.task_types.probes.task import MOST_LENGTH, ProbeTask, StateTrackingOptions

SOURCE = Source("builtin", "generated")


class Later(ProbeTask):
    """Whether the symbol two steps before is b; padded at random, no label at the first two steps."""

    name, Options, any_length, shortest = "later", StateTrackingOptions, True, 3
    symbols, labels = ("a", "b"), ("no", "yes")

    def draw(self, rng, count, length):
        x = rng.integers(1, 3, size=(count, length))
        x[np.arange(length) >= rng.integers(3, length + 1, size=(count, 1))] = 0
        return x

    def targets(self, x):
        y = np.full(x.shape, -1)
        y[:, 2:] = x[:, :-2] == 2
        return y


def make(**options) -> Later:
    return Later(StateTrackingOptions(**{"length": 12, "test_length": 40, "examples": 60, "tests": 50, **options}))


class Echo(keras.Model):
    """Model whose logits prefer the label of the present symbol."""

    def call(self, tokens):
        return keras.ops.one_hot(keras.ops.maximum(tokens - 1, 0), 2) * 2.0


def test_test_lengths_reach_beyond_training() -> None:
    assert make().test_lengths == [3, 6, 12, 16, 32, 40]
    assert make(test_length=16).test_lengths == [3, 6, 12, 16]
    assert make(test_length=None).test_lengths == make(test_length=12).test_lengths == [3, 6, 12]
    assert make(length=8, test_length=None).test_lengths == [4, 8]  # none below the shortest sequence
    assert make(length=3, test_length=None).test_lengths == [3]


def test_splits_have_the_lengths_and_only_scored_steps_count() -> None:
    task = make()
    splits = task.load(SOURCE, 0)
    assert {name: len(part) for name, part in splits.parts.items()} == {"train": 60, "validation": 500, "test": 50}
    assert all(part.inputs["tokens"].lengths.max() in (11, 12) for part in (splits.train, splits.validation))
    assert splits.test.inputs["tokens"].lengths.max() > 32
    batches = task.batches(splits.train, 7)
    seen = 0
    for index in range(len(batches)):
        tokens, targets, weights = batches[index]
        for row, labels, counted in zip(tokens, targets, weights, strict=True):
            text = [("a", "b")[n - 1] for n in row if n]
            assert counted.tolist() == [float(2 <= t < len(text)) for t in range(len(row))]
            assert labels[2 : len(text)].tolist() == [text[t - 2] == "b" for t in range(2, len(text))]
            seen += 1
    assert seen == 60


def test_the_data_depends_on_lengths_and_not_on_the_seed() -> None:
    same = [make().load(SOURCE, seed).fingerprint for seed in (0, 5)]
    others = [make(**word).load(SOURCE, 0).fingerprint for word in ({"length": 13}, {"test_length": 41}, {"tests": 49})]
    assert len({*same, *others, make(labels="last").load(SOURCE, 0).fingerprint}) == 5


def test_only_the_last_label_of_each_sequence() -> None:
    x = np.array([[1, 2, 2, 1], [2, 1, 1, 0], [1, 2, 0, 0]])
    assert make().scored_targets(x).tolist() == [[-1, -1, 0, 1], [-1, -1, 1, -1], [-1] * 4]
    assert make(labels="last").scored_targets(x).tolist() == [[-1, -1, -1, 1], [-1, -1, 1, -1], [-1] * 4]


def test_scores_against_a_loop() -> None:
    task = make()
    splits = task.load(SOURCE, 0)
    scores = task.score(Echo(), task.batches(splits.test, 9))
    right: dict[int, list[bool]] = {}
    for row in range(len(splits.test)):
        text = splits.test.inputs["tokens"].row(row).tolist()
        for t in range(2, len(text)):
            right.setdefault(t + 1, []).append(text[t] == text[t - 2])

    def mean(low: int, high: int) -> float:
        values = [one for length, values in right.items() if low < length <= high for one in values]
        return sum(values) / len(values)

    assert scores["accuracy"] == pytest.approx(mean(12, 40))
    assert scores["accuracy_trained"] == pytest.approx(mean(0, 12))
    ends = [0, 3, 6, 12, 16, 32, 40]
    for low, high in itertools.pairwise(ends):
        assert scores[f"accuracy_to_{high}"] == pytest.approx(mean(low, high))
    hit = mean(0, 40)
    assert scores["nll"] == pytest.approx(np.log(np.exp(2) + 1) - 2 * hit, rel=1e-6)
    assert task.example_outputs.score == pytest.approx(scores["accuracy"])


def test_without_longer_sequences_all_labels_count() -> None:
    task = make(test_length=None)
    scores = task.score(Echo(), task.batches(task.load(SOURCE, 0).test, 50))
    assert "accuracy_trained" not in scores and 0.2 < scores["accuracy"] < 0.8
    assert task.example_outputs.score == pytest.approx(scores["accuracy"])


def test_baselines_against_counts() -> None:
    task = make(examples=300, tests=200, test_length=20)
    splits = task.load(SOURCE, 0)
    labels = Counter(n for row in range(len(splits.train)) for n in splits.train.targets.row(row).tolist() if n >= 0)
    likeliest = labels.most_common(1)[0][0]
    pairs = [
        (target, t)
        for row in range(len(splits.test))
        for t, target in enumerate(splits.test.targets.row(row).tolist(), 1)
        if target >= 0 and t > 12
    ]
    fitted = {name: fit() for name, fit in task.baselines(splits).items()}
    assert fitted["chance"].scores["accuracy"] == pytest.approx(np.mean([target == likeliest for target, _ in pairs]))
    assert fitted["3-gram"].scores["accuracy"] == 1  # the label is a function of the last three symbols
    assert fitted["3-gram"].params == 1 + 2 + 4 + 8


def test_a_rare_context_is_shortened() -> None:
    from seqtasks.data.bucketing import Ragged
    from seqtasks.data.spec import Spec
    from seqtasks.data.splits import Examples, Splits
    from seqtasks.task_types.probes.baselines import n_gram

    train = Examples({"tokens": Ragged.of([[1, 2], [2, 2]])}, Ragged.of([[0, 1], [0, 0]]))
    test = Examples({"tokens": Ragged.of([[1, 2, 2], [3, 2]])}, Ragged.of([[0, 1, 0], [0, 0]]))
    predicted, _ = n_gram(Splits(train, train, test, "x", "x", Spec()), 2)
    assert [row.tolist() for row in predicted] == [[0, 1, 0], [0, 0]]


def test_predictions_of_own_sequences() -> None:
    (row,) = make().predict(Echo(), ["b a b"], NoOptions())
    assert row == {"sequence": "b a b", "answer": "yes", "labels": "yes", "true": "yes"} | {
        "P(no)": pytest.approx(0.1192, abs=1e-4), "P(yes)": pytest.approx(0.8808, abs=1e-4)
    }  # fmt: skip
    (joined,) = make().predict(Echo(), ["baba"], NoOptions())
    assert joined["sequence"] == "b a b a" and joined["labels"] == "yes no"
    for inputs, message in (([], "no sequence given"), (["a c"], "unknown symbol 'c'; allowed: a b"), ([" "], "empty")):
        with pytest.raises(ConfigError, match=message):
            make().predict(Echo(), inputs, NoOptions())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 2}, r"options.length is 2; allowed: at least 3, .*; set options.length=3"),
        ({"test_length": 9}, r"options.test_length is 9; allowed: at least 12, options.length; set"),
    ],
)
def test_lengths_that_no_sequence_has(options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(**options).load(SOURCE, 0)
    assert MOST_LENGTH >= 16_384


def test_plots_and_steps() -> None:
    task = make()
    test = task.load(SOURCE, 0).test
    (_, figure), (name, table) = task.plots(Echo(), task.batches(test, 50))
    assert name == "accuracy_by_length" and table.index.tolist() == [3, 6, 12, 16, 32, 40]
    assert table["n"].sum() == (test.targets.values >= 0).sum()
    line = figure.axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), table["accuracy"])
    steps = task.describe_steps(np.array([[2, 1, 1, 0]]))
    assert steps.labels == [["b", "a", "a"]]
    np.testing.assert_array_equal(steps.properties["class yes"], [[np.nan, np.nan, 1, np.nan]])
    assert task.encode_inputs(["a b", "b"]).tolist() == [[1, 2], [2, 0]]
