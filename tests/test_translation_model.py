"""Translations of a small model: beam and greedy, scores against re-scoring, whatever the batch."""

import itertools

import numpy as np
import pytest

from seqtasks.config import EncoderConfig
from seqtasks.data.pairs import END
from seqtasks.data.ragged import Ragged
from seqtasks.encoder import Encoder
from seqtasks.metrics import log_softmax
from seqtasks.translation_model import Translator, attention_weights, translation_model
from seqtasks.translation_task import TranslationOptions

SIZES = [9, 5]
RNG = np.random.default_rng(0)
SOURCES = Ragged.of([RNG.integers(2, 9, n) for n in (3, 7, 1, 17, 5)])
MOST = 2 * 16 + 10  # tokens of a translation of up to 16
KINDS = [{}, {"attention": "multiplicative", "feeding": True}, {"attention": "none", "tied": False}]


def made(shared=False, cell="gru", **options):
    o = TranslationOptions(embedding=6, dropout=0.0, **options)
    encoder = Encoder(EncoderConfig(cell=cell, units=4, bidirectional=True), name="encoder")
    model = translation_model(encoder, [5, 5] if shared else SIZES, shared, o, "translation")
    for weight in model.trainable_weights:  # so that words differ
        weight.assign(RNG.normal(size=weight.shape, scale=0.8))
    return model


def nll_of(model, source, target):
    """Teacher-forced, with its end, in one call of the training model."""
    previous = np.array([[END, *target]], np.int32)
    wanted = np.array([[*target, END]], np.int32)
    return float(np.asarray(model.predict_on_batch([source[None], previous, wanted]))[0, :, 1].sum())


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_scores_are_those_of_the_training_model(options):
    model = made(**options)
    for row, best in enumerate(Translator(model, beams=4, n_best=3, length_penalty=1.0)(SOURCES)):
        assert len(best) == 3 and best[0].rank >= best[1].rank >= best[2].rank
        for one in best:
            if len(one.tokens) < MOST:  # it ended
                # Padding has no probability in generation.
                spare = _padding(model, SOURCES.row(row), one.tokens)
                assert one.score == pytest.approx(-nll_of(model, SOURCES.row(row), one.tokens) + spare, abs=1e-4)


def _padding(model, source, target):
    """What the tokens gain as padding is left out: -log(1 - p(padding)), summed over the steps."""
    previous = np.array([[END, *target]], np.int32)
    zeros = np.zeros_like(previous)
    nll = np.asarray(model.predict_on_batch([source[None], previous, zeros]))[0, :, 1]
    return float(-np.log1p(-np.exp(-nll.astype(np.float64))).sum())


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_a_beam_of_one_is_greedy_and_the_batch_does_not_matter(options):
    model = made(**options)
    greedy = Translator(model)(SOURCES)
    beam = Translator(model, beams=1, n_best=1, rows=2)
    alone = [Translator(model)(SOURCES[np.array([i])])[0] for i in range(len(SOURCES))]
    for one, other, own in zip(greedy, beam(SOURCES), alone, strict=True):
        assert one[0].tokens.tolist() == other[0].tokens.tolist() == own[0].tokens.tolist()
        assert one[0].score == pytest.approx(own[0].score, abs=1e-4)


def test_a_beam_as_wide_as_all_paths_is_exhaustive_search():
    model, source = made(), SOURCES.row(0)
    most = 3
    ended = [t for n in range(most) for t in itertools.product((2, 3, 4), repeat=n)]
    scores = {t: -nll_of(model, source, t) + _padding(model, source, np.array(t, int)) for t in ended}
    (best,) = Translator(model, beams=64, n_best=5, most=most)(SOURCES[np.array([0])])
    finished = [tuple(one.tokens.tolist()) for one in best if len(one.tokens) < most]
    expected = sorted(scores, key=scores.get, reverse=True)
    assert finished == [t for t in expected if t in finished] and finished[0] == expected[0]


def test_coverage_asks_for_all_of_the_source():
    model = made()
    plain, covering = (Translator(model, beams=4, n_best=4, coverage=c)(SOURCES) for c in (0.0, 0.7))
    assert all(one.rank == pytest.approx(one.score, abs=1e-5) for one in plain[1])
    source = SOURCES.row(1)
    for one in covering[1]:
        if len(one.tokens) < MOST:
            seen = np.minimum(attention_weights(model, source, one.tokens).sum(0), 1)
            assert one.rank == pytest.approx(one.score + 0.7 * np.log(seen).sum(), abs=1e-3)


def test_attention_reads_the_source():
    weights = attention_weights(made(), SOURCES.row(1), np.array([2, 3, 2]))
    assert weights.shape == (4, 7)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)


def test_the_loss_is_smoothed_and_the_likelihood_is_not():
    model, source = made(smoothing=0.2), SOURCES.row(0)
    previous, wanted = np.array([[END, 3]], np.int32), np.array([[3, END]], np.int32)
    found = np.asarray(model.predict_on_batch([source[None], previous, wanted]))[0]
    every = [
        np.asarray(model.predict_on_batch([source[None], previous, np.full((1, 2), n, np.int32)]))[0, :, 1]
        for n in range(5)
    ]
    logp = -np.stack(every, -1)
    np.testing.assert_allclose(log_softmax(logp), logp, atol=1e-5)
    np.testing.assert_allclose(found[:, 1], [-logp[0, 3], -logp[1, END]], atol=1e-5)
    np.testing.assert_allclose(found[:, 0], 0.8 * found[:, 1] - 0.2 * logp.mean(-1), atol=1e-5)


def test_one_embedding_for_both_languages_and_the_output():
    model = made(shared=True, tied=True)
    tables = [w for w in model.trainable_weights if tuple(w.shape) == (5, 6)]
    assert len(tables) == 1
    assert Translator(model)(Ragged.of([[2, 3, 4]]))
