"""CTC loss and decoders against the sum over all alignments, and error rates."""

import itertools
import math

import keras
import numpy as np
import pytest
from keras import ops

from seqtasks.decoding import ctc
from seqtasks.layers.metrics import log_softmax
from seqtasks.layers.speech import CTCHead

LABELS = 2


def collapse(path):
    """Labels of a path: repeated labels are merged, then blanks removed."""
    return tuple(n for n, _ in itertools.groupby(path) if n)


def every_sequence(log_p):
    """Probability of each label sequence: the sum over all its paths in float64."""
    p, probabilities = np.exp(np.asarray(log_p, np.float64)), {}
    for path in itertools.product(range(p.shape[1]), repeat=len(p)):
        labels = collapse(path)
        probabilities[labels] = probabilities.get(labels, 0.0) + math.prod(p[t, n] for t, n in enumerate(path))
    return probabilities


def logits(steps, seed=0, labels=LABELS):
    return np.random.default_rng(seed).normal(size=(steps, 1 + labels)) * 2


def padded(rows):
    filled = np.zeros((len(rows), max(1, *map(len, rows))), np.int32)
    for i, row in enumerate(rows):
        filled[i, : len(row)] = row
    return filled


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_loss_is_the_sum_over_all_alignments(steps):
    x = logits(steps)
    expected = every_sequence(log_softmax(x))
    assert sum(expected.values()) == pytest.approx(1)
    rows = list(expected)
    losses = keras.losses.ctc(padded(rows), np.repeat(x[None].astype("float32"), len(rows), 0))
    np.testing.assert_allclose(ops.convert_to_numpy(losses), [-np.log(expected[row]) for row in rows], atol=1e-4)


def test_loss_does_not_depend_on_values_at_padding():
    lengths, rows = [5, 3, 1, 0], [(1, 1, 2), (2, 1), (1,), ()]
    expected = [
        -np.log(every_sequence(log_softmax(logits(n, i)))[row])
        for i, (n, row) in enumerate(zip(lengths, rows, strict=True))
    ]
    for width in (5, 9):
        x = np.full((4, width, 3), 50.0, "float32")
        for i, n in enumerate(lengths):
            x[i, :n] = logits(n, i)
        head = CTCHead(LABELS)
        head.build((None, None, 3))
        head.dense.kernel.assign(np.eye(3))
        out = head(x, mask=np.arange(width)[None] < np.array(lengths)[:, None])
        losses = ops.convert_to_numpy(keras.losses.ctc(padded(rows), out))
        np.testing.assert_allclose(losses, expected, atol=1e-4)


def test_the_loss_is_that_of_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    x, rows = rng.normal(size=(3, 12, 5)).astype("float32"), [(1, 2, 2, 4), (3,), (4, 4, 4)]
    expected = torch.nn.functional.ctc_loss(
        torch.log_softmax(torch.tensor(x), -1).transpose(0, 1),
        torch.tensor(padded(rows)),
        torch.full((3,), 12),
        torch.tensor([4, 1, 3]),
        reduction="none",
    )
    losses = ops.convert_to_numpy(keras.losses.ctc(padded(rows), x))
    np.testing.assert_allclose(losses, expected.numpy(), rtol=1e-4)


def test_labels_need_a_step_each_and_a_blank_between_equal_ones():
    for labels in [(), (1,), (1, 2), (1, 1), (1, 1, 1), (1, 2, 2, 1)]:
        minimum = ctc.steps_needed(labels)
        possible = [labels in every_sequence(log_softmax(logits(steps))) for steps in range(minimum + 1)]
        assert possible == [False] * minimum + [True]


def test_greedy_reads_the_likeliest_path():
    path = [0, 1, 1, 0, 1, 2, 2, 0]
    assert ctc.greedy(np.eye(3)[path]) == (1, 1, 2)
    assert ctc.greedy(np.zeros((0, 3))) == () and ctc.greedy(np.eye(3)[[0, 0]]) == ()


def test_the_search_finds_what_greedy_misses():
    log_p = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert ctc.greedy(log_p) == ()
    (best, score), (second, _) = ctc.prefix_beam_search(log_p, 2)[:2]
    assert (best, second) == ((1,), ()) and math.exp(score) == pytest.approx(0.64)


@pytest.mark.parametrize("seed", range(4))
def test_with_beams_enough_the_search_is_exact(seed):
    log_p = log_softmax(logits(5, seed))
    expected = sorted(every_sequence(log_p).items(), key=lambda item: -item[1])
    ranked = ctc.prefix_beam_search(log_p, 1000)
    assert [labels for labels, _ in ranked] == [labels for labels, _ in expected]
    np.testing.assert_allclose([score for _, score in ranked], np.log([p for _, p in expected]), atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_language_model_and_a_bonus_are_added_to_the_score(seed):
    def language(prefix):
        return np.log([0.9, 0.1] if prefix[-1:] != (1,) else [0.2, 0.8])

    log_p, weight, bonus = log_softmax(logits(5, seed)), 0.7, 0.3
    expected = {
        labels: math.log(p)
        + sum(weight * language(labels[:i])[n - 1] + bonus for i, n in enumerate(labels))
        for labels, p in every_sequence(log_p).items()
    }  # fmt: skip
    ranked = ctc.prefix_beam_search(log_p, 1000, language, weight, bonus)
    assert ranked[0][0] == max(expected, key=expected.get)
    for labels, score in ranked:
        assert score == pytest.approx(expected[labels])
    plain = ctc.prefix_beam_search(log_p, 1000)
    assert ctc.prefix_beam_search(log_p, 1000, language, 0.0) == plain


def test_few_beams_never_promise_too_much_and_more_find_better():
    for seed in range(6):
        log_p = log_softmax(logits(8, seed, labels=3))
        truth = every_sequence(log_p)
        best = [ctc.prefix_beam_search(log_p, beams)[0] for beams in (1, 4, 2000)]
        for labels, score in best:
            assert score <= math.log(truth[labels]) + 1e-9
        assert best[-1][0] == max(truth, key=truth.get)


def test_labels_that_are_too_unlikely_are_not_tried():
    log_p = log_softmax(np.array([[0, 5, -9], [5, 0, -9], [0, 5, -2]]))
    scores = dict(ctc.prefix_beam_search(log_p, 1000, least=-8.0))
    assert set(scores) == {(), (1,), (2,), (1, 2), (1, 1)}  # 2 at the last step only
    assert scores[1, 1] == pytest.approx(np.log(every_sequence(log_p)[1, 1]))


def test_the_search_refuses_what_it_cannot_read():
    with pytest.raises(ValueError, match="beams is 0"):
        ctc.prefix_beam_search(np.zeros((2, 3)), 0)
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        ctc.prefix_beam_search(np.zeros(3), 1)
    assert ctc.prefix_beam_search(np.zeros((0, 3)), 4) == [((), 0.0)]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_n_gram_model_knows_what_follows(order):
    language = ctc.ngram([(1, 2, 3)] * 5 + [(1, 2, 1)], 4, order)
    for prefix in [(), (1,), (1, 2), (4, 4, 4), (3, 1, 2)]:
        p = np.exp(language(prefix))
        assert p.shape == (4,) and p.sum() == pytest.approx(1) and (p > 0).all()
    if order > 1:
        assert np.exp(language((1,))).argmax() == 1 and np.exp(language(())).argmax() == 0


def test_error_rates():
    assert ctc.error_rate([(1, 2, 3), (4,)], [(1, 3), (4, 5)]) == pytest.approx(2 / 4)
    assert ctc.error_rate([(1,)], [(2, 2, 2)]) == 3
    assert ctc.error_rate([()], [()]) == 0 and ctc.error_rate([()], [(1,)]) == 1
    assert ctc.exact([(1, 2), (3,)], [(1, 2), ()]) == 0.5


def test_alignments_have_as_many_edits_as_the_distance():
    rng = np.random.default_rng(0)
    for _ in range(30):
        true, predicted = (tuple(rng.integers(1, 4, rng.integers(0, 6)).tolist()) for _ in range(2))
        pairs = ctc.aligned(true, predicted)
        assert tuple(a for a, _ in pairs if a) == true and tuple(b for _, b in pairs if b) == predicted
        if true:
            assert sum(a != b for a, b in pairs) == round(ctc.error_rate([true], [predicted]) * len(true))
