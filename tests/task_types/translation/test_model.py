"""Translations of a small model: beam and greedy search, scores against re-scoring."""

import itertools

import keras
import numpy as np
import pytest

from seqtasks.core.config import EncoderConfig
from seqtasks.data.bucketing import Ragged
from seqtasks.data.seq2seq_batches import END
from seqtasks.decoding.seq2seq import Seq2SeqParts
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.metrics import log_softmax
from seqtasks.task_types.translation.model import Translator, translation_model
from seqtasks.task_types.translation.task import TranslationOptions

SIZES = [9, 5]
RNG = np.random.default_rng(0)
SOURCES = Ragged.of([RNG.integers(2, 9, n) for n in (3, 7, 1, 17, 5)])
MOST = 2 * 16 + 10  # tokens of a translation of up to 16
KINDS = [{}, {"attention": "multiplicative", "input_feeding": True}, {"attention": "none", "tie_embeddings": False}]


def made(shared=False, cell="gru", **options):
    o = TranslationOptions(embedding_dim=6, dropout=0.0, **options)
    encoder = Encoder(EncoderConfig(cell=cell, units=4, bidirectional=True), name="encoder")
    model = translation_model(encoder, [5, 5] if shared else SIZES, shared, o, "translation")
    for weight in model.trainable_weights:  # so that words differ
        weight.assign(RNG.normal(size=weight.shape, scale=0.8))
    return model


def nll_of(model, source, target):
    """Negative log-likelihood of a target and its end, from the training model."""
    previous = np.array([[END, *target]], np.int32)
    targets = np.array([[*target, END]], np.int32)
    return float(np.asarray(model.predict_on_batch([source[None], previous, targets]))[0, :, 1].sum())


@pytest.mark.a_third
@pytest.mark.parametrize("options", KINDS, ids=str)
def test_scores_are_those_of_the_training_model(options):
    model = made(**options)
    for row, best in enumerate(Translator(model, beams=4, n_best=3, length_penalty=1.0)(SOURCES)):
        assert len(best) == 3 and best[0].rank >= best[1].rank >= best[2].rank
        for hypothesis in best:
            if len(hypothesis.tokens) < MOST:  # it ended
                assert hypothesis.score == pytest.approx(-nll_of(model, SOURCES.row(row), hypothesis.tokens), abs=1e-4)


def test_parts_of_a_loaded_model_translate_alike(tmp_path):
    model = made()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for first, second in zip(Translator(model)(SOURCES), Translator(loaded)(SOURCES), strict=True):
        assert first[0].tokens.tolist() == second[0].tokens.tolist()
    parts = Seq2SeqParts.of(loaded)
    assert (parts.embedding.input_dim, parts.head.size, parts.projection.units) == (SIZES[1], SIZES[1], 6)
    assert Seq2SeqParts.of(made(tie_embeddings=False)).projection is None


@pytest.mark.a_third
@pytest.mark.parametrize("options", KINDS, ids=str)
def test_a_beam_of_one_is_greedy_and_the_batch_does_not_matter(options):
    model = made(**options)
    greedy = Translator(model)(SOURCES)
    beam = Translator(model, beams=1, n_best=1, rows=2)
    one_by_one = Translator(model, rows=1)
    alone = [one_by_one(SOURCES[np.array([i])])[0] for i in range(len(SOURCES))]
    for best, by_beam, by_row in zip(greedy, beam(SOURCES), alone, strict=True):
        assert best[0].tokens.tolist() == by_beam[0].tokens.tolist() == by_row[0].tokens.tolist()
        assert best[0].score == pytest.approx(by_row[0].score, abs=1e-4)


def test_a_beam_as_wide_as_all_paths_is_exhaustive_search():
    model, source = made(), SOURCES.row(0)
    length = 3
    ended = [t for n in range(length) for t in itertools.product((2, 3, 4), repeat=n)]
    scores = {t: -nll_of(model, source, t) for t in ended}
    (best,) = Translator(model, beams=64, n_best=5, most=length)(SOURCES[np.array([0])])
    finished = [tuple(hypothesis.tokens.tolist()) for hypothesis in best if len(hypothesis.tokens) < length]
    expected = sorted(scores, key=scores.get, reverse=True)
    assert finished == [t for t in expected if t in finished] and finished[0] == expected[0]


def test_coverage_asks_for_all_of_the_source():
    model = made()
    plain, covering = (Translator(model, beams=4, n_best=4, coverage=c)(SOURCES) for c in (0.0, 0.7))
    assert all(hypothesis.rank == pytest.approx(hypothesis.score, abs=1e-5) for hypothesis in plain[1])
    source = SOURCES.row(1)
    for hypothesis in covering[1]:
        if len(hypothesis.tokens) < MOST:
            (weights,) = Translator(model).attention(Ragged.of([source]), [hypothesis.tokens])
            coverage_sums = np.minimum(weights.sum(0), 1)
            assert hypothesis.rank == pytest.approx(hypothesis.score + 0.7 * np.log(coverage_sums).sum(), abs=1e-3)


def test_attention_reads_the_source_whatever_the_batch():
    translator, targets = Translator(made(), rows=3), [np.arange(2, 2 + n) % 3 + 2 for n in (3, 1, 0, 5, 2)]
    for row, (weights, target) in enumerate(zip(translator.attention(SOURCES, targets), targets, strict=True)):
        assert weights.shape == (len(target) + 1, SOURCES.lengths[row])
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
        (alone,) = translator.attention(SOURCES[np.array([row])], [target])
        np.testing.assert_allclose(weights, alone, atol=1e-6)


def test_the_loss_is_smoothed_and_the_likelihood_is_not():
    model, source = made(label_smoothing=0.2), SOURCES.row(0)
    previous, targets = np.array([[END, 3]], np.int32), np.array([[3, END]], np.int32)
    losses = np.asarray(model.predict_on_batch([source[None], previous, targets]))[0]
    nll = [
        np.asarray(model.predict_on_batch([source[None], previous, np.full((1, 2), n, np.int32)]))[0, :, 1]
        for n in range(1, 5)  # 0 is padding
    ]
    logp = -np.stack(nll, -1)
    np.testing.assert_allclose(log_softmax(logp), logp, atol=1e-5)
    np.testing.assert_allclose(losses[:, 1], [-logp[0, 3 - 1], -logp[1, END - 1]], atol=1e-5)
    np.testing.assert_allclose(losses[:, 0], 0.8 * losses[:, 1] - 0.2 * logp.mean(-1), atol=1e-5)


def test_one_embedding_for_both_languages_and_the_output():
    model = made(shared=True, tie_embeddings=True)
    tables = [w for w in model.trainable_weights if tuple(w.shape) == (5, 6)]
    assert len(tables) == 1
    assert Translator(model)(Ragged.of([[2, 3, 4]]))


def test_scheduled_sampling_is_for_training_only():
    plain, sampled = made(), made(scheduled_sampling=1.0, sampling_steps=1)
    for weight, value in zip(sampled.trainable_weights, plain.trainable_weights, strict=True):
        weight.assign(value)
    source, previous = SOURCES[np.array([1])].padded(), np.array([[END, 2, 3, 4, 2, 2]], np.int32)
    inputs = [source, previous, np.array([[2, 3, 4, 2, 2, END]], np.int32)]
    plain_losses = plain.predict_on_batch(inputs)
    np.testing.assert_allclose(sampled.predict_on_batch(inputs), plain_losses, atol=1e-6)
    sampled(inputs, training=True)  # after this update all are replaced
    losses = np.asarray(sampled(inputs, training=True))
    predicted = [END]
    for step in range(5):  # of the plain model after the given words
        nll = [
            float(plain.predict_on_batch([source, previous, np.full((1, 6), n, np.int32)])[0, step, 1])
            for n in range(1, 5)
        ]
        predicted.append(1 + int(np.argmin(nll)))
    expected = plain.predict_on_batch([source, np.array([predicted], np.int32), inputs[2]])
    np.testing.assert_allclose(losses, expected, atol=1e-5)
    assert np.abs(losses - plain_losses).max() > 1e-3
