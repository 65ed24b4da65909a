"""The tag layer: what each step loses, with and without a CRF, and legal sequences of spans."""

import itertools

import keras
import numpy as np
import pytest

from seqtasks.layers.metrics import log_softmax
from seqtasks.layers.tagging_head import TagHead

LABELS = ["O", "B-X", "I-X"]
X = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32")
TARGETS = np.array([[0, 1, 2, 0], [1, 2, 0, 0], [0, 0, 0, 0]])
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]], bool)


def test_each_step_for_itself():
    head = TagHead(LABELS)
    found = np.asarray(head(X, TARGETS, MASK))
    scores = np.asarray(head.scores(X))
    nll = -np.take_along_axis(log_softmax(scores), TARGETS[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(found[..., 0], nll, atol=1e-5)
    np.testing.assert_array_equal(found[..., 1], scores.argmax(-1) == TARGETS)
    np.testing.assert_array_equal(head(X), scores.argmax(-1))


def test_the_loss_of_a_sentence_is_shared_among_its_steps():
    head = TagHead(LABELS, crf=True)
    found = np.asarray(head(X, TARGETS, MASK))
    whole = np.asarray(head.crf(keras.ops.convert_to_tensor(head.scores(X)), TARGETS, MASK))
    np.testing.assert_allclose((found[..., 0] * MASK).sum(1), whole, atol=1e-5)
    assert found[2].sum(0)[0] == 0 and np.isfinite(found).all()
    best = np.asarray(head(X, mask=MASK))
    np.testing.assert_array_equal((found[..., 1] == 1)[MASK], (best == TARGETS)[MASK])


@pytest.mark.parametrize("seed", range(3))
def test_only_legal_spans_are_decoded(seed):
    head = TagHead(LABELS, crf=True)
    best = np.asarray(head(np.random.default_rng(seed).normal(size=(50, 6, 5), scale=9).astype("float32")))
    assert best.shape == (50, 6) and (best == 2).any()
    before = np.concatenate([np.zeros((50, 1), int), best[:, :-1]], axis=1)
    assert not ((best == 2) & (before == 0)).any()  # no I- after an O, nor at the start


@pytest.mark.parametrize("crf", [False, True])
def test_it_is_saved(tmp_path, crf):
    x, targets = keras.Input((None, 5)), keras.Input((None,), dtype="int32")
    model = keras.Model([x, targets], TagHead(LABELS, crf, name="tags")(x, targets))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again([X, TARGETS]), model([X, TARGETS]), atol=1e-6)


@pytest.mark.parametrize("crf", [False, True])
def test_probabilities_are_those_of_all_sequences_with_the_tag(crf):
    head = TagHead(["a", "b"], crf=crf)
    shares = np.asarray(head(X[:1, :3], probabilities=True))[0]
    sequences = list(itertools.product(range(2), repeat=3))
    weights = np.array(
        [np.exp(-np.asarray(head(X[:1, :3], np.array([one])))[0, :, 0].sum()) for one in sequences]
    )  # of each sequence its likelihood
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    for step in range(3):
        of_b = sum(weight for one, weight in zip(sequences, weights, strict=True) if one[step] == 1)
        assert shares[step, 1] == pytest.approx(of_b, abs=1e-5)
    np.testing.assert_allclose(shares.sum(-1), 1, atol=1e-6)
