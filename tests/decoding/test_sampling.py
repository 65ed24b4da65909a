"""Beam search against exhaustive search in NumPy, samples against their distribution."""

import itertools

import numpy as np
import pytest
from keras import ops
from scipy.stats import chisquare

from seqtasks.core.errors import ConfigError
from seqtasks.decoding.beam_search import BeamSearch
from seqtasks.decoding.sampling import Sampler, uniform

WORDS, END = 4, 0


class Toy:
    """A model whose logits depend on all tokens so far, through a state; in NumPy and in `keras.ops`."""

    def __init__(self, seed=0, spread=1.5):
        rng = np.random.default_rng(seed)
        self.tables = [rng.normal(size=(WORDS, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, WORDS), scale=spread)]

    def __call__(self, tokens, states):
        embedding, mix, out = (ops.convert_to_tensor(table.astype("float32")) for table in self.tables)
        (h,) = states
        h = ops.tanh(ops.take(embedding, tokens, axis=0) + h @ mix)
        return h @ out, [h]

    def start(self, batch=1, seed=1):
        h = np.random.default_rng(seed).normal(size=(batch, 3)).astype("float32")
        return ops.convert_to_tensor(h @ self.tables[2].astype("float32")), [ops.convert_to_tensor(h)]

    def rescore(self, tokens, batch=1, seed=1, row=0):
        """Log-probability of a sequence up to its end, computed token by token in float64."""
        embedding, mix, out = self.tables
        h = np.random.default_rng(seed).normal(size=(batch, 3))[row].astype("float32").astype("float64")
        total = 0.0
        for token in tokens:
            logits = h @ out
            total += logits[token] - np.log(np.exp(logits).sum())
            if token == END:
                break
            h = np.tanh(embedding[token] + h @ mix)
        return total


def finished(length):
    """Generates all sequences that stop at their first end or at `length`."""
    for tokens in itertools.product(range(WORDS), repeat=length):
        size = tokens.index(END) + 1 if END in tokens else length
        if all(token == END for token in tokens[size:]):
            yield tokens[:size]


@pytest.mark.parametrize(
    ("penalty", "early_stop", "seed"),
    [(0.0, True, 0), (0.6, True, 1), (0.6, False, 2), (2.0, True, 3), (2.0, False, 4)],
)
def test_a_beam_as_wide_as_all_paths_is_exhaustive_search(penalty, early_stop, seed):
    toy, length = Toy(seed), 4
    beam = BeamSearch(toy, WORDS**length, length, END, penalty, n_best=5, early_stop=early_stop)
    best = beam(*toy.start())
    ranked = sorted(finished(length), key=lambda s: -toy.rescore(s) / ((5 + len(s)) / 6) ** penalty)
    for rank, expected in enumerate(ranked[:5]):
        size = best.lengths[0, rank]
        assert tuple(best.tokens[0, rank, :size]) == expected
        assert np.all(best.tokens[0, rank, size:] == END)
        assert abs(best.scores[0, rank] - toy.rescore(expected)) < 1e-4
        assert abs(best.ranks[0, rank] - toy.rescore(expected) / ((5 + size) / 6) ** penalty) < 1e-4


@pytest.mark.parametrize("end", [None, END])
def test_a_beam_of_one_is_greedy(end):
    toy = Toy(3)
    beam = BeamSearch(toy, 1, 12, end)(*toy.start(4))
    greedy = Sampler(toy, temperature=0, end=end)(*toy.start(4), np.zeros((12, 4)))
    np.testing.assert_array_equal(beam.tokens[:, 0], greedy.tokens)
    np.testing.assert_allclose(beam.scores[:, 0], greedy.scores, rtol=1e-5)


@pytest.mark.parametrize("beams", [2, 5])
def test_a_narrow_beam_returns_scores_that_hold_and_different_sequences(beams):
    toy = Toy(5)
    best = BeamSearch(toy, beams, 8, END, 0.6, n_best=beams)(*toy.start(3))
    for row in range(3):
        sequences = [tuple(best.tokens[row, i, : best.lengths[row, i]]) for i in range(beams)]
        assert len(set(sequences)) == beams
        for i, sequence in enumerate(sequences):
            assert abs(best.scores[row, i] - toy.rescore(sequence, 3, row=row)) < 1e-4
        assert np.all(np.diff(best.ranks[row]) <= 1e-6)


def test_the_score_of_a_sample_is_what_scoring_it_again_gives():
    toy = Toy(1)
    for end in (None, END):
        sampled = Sampler(toy, 0.7, end=end)(*toy.start(6), uniform(9, range(6)))
        for row in range(6):
            tokens = sampled.tokens[row] if end is not None else [*sampled.tokens[row]]
            if end is None and END in tokens:  # rescoring stops at END
                continue
            assert abs(sampled.scores[row] - toy.rescore(tokens, 6, row=row)) < 1e-4


@pytest.mark.parametrize(
    ("settings", "keep"),
    [({}, 4), ({"temperature": 0.5}, 4), ({"temperature": 2.0}, 4), ({"top_k": 2}, 2), ({"top_p": 0.8}, None)],
)
def test_samples_have_the_probabilities_of_the_model(settings, keep):
    toy, n = Toy(2, spread=0.7), 20_000
    logits, states = toy.start(1)
    many = ops.repeat(logits, n, axis=0), [ops.repeat(states[0], n, axis=0)]
    draws = np.random.default_rng(0).random((1, n))
    tokens = Sampler(toy, **settings)(*many, draws).tokens[:, 0]
    p = np.exp(np.asarray(logits, np.float64)[0] / settings.get("temperature", 1.0))
    p /= p.sum()
    order = np.argsort(-p)
    keep = keep or int(np.searchsorted(np.cumsum(p[order]), settings["top_p"]) + 1)
    allowed = order[:keep]
    assert set(tokens) <= set(allowed.tolist())
    counts = np.bincount(tokens, minlength=WORDS)[allowed]
    assert chisquare(counts, n * p[allowed] / p[allowed].sum()).pvalue > 1e-3


@pytest.mark.parametrize("settings", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 0}, {"temperature": 1e-4}])
def test_these_are_all_greedy(settings):
    toy = Toy(4)
    greedy = Sampler(toy, 0)(*toy.start(3), np.zeros((10, 3))).tokens
    tokens = Sampler(toy, **settings)(*toy.start(3), uniform(10, [7, 8, 9])).tokens
    np.testing.assert_array_equal(tokens, greedy)


def test_the_seed_decides_and_the_batch_does_not():
    toy = Toy(6)
    logits, states = toy.start(5)
    together = Sampler(toy)(logits, states, uniform(30, [3, 1, 4, 1, 5])).tokens
    for row, seed in enumerate([3, 1, 4, 1, 5]):
        alone = Sampler(toy)(logits[row : row + 1], [states[0][row : row + 1]], uniform(30, [seed])).tokens
        np.testing.assert_array_equal(alone[0], together[row])
    other_seed = Sampler(toy)(logits, states, uniform(30, [3, 1, 4, 2, 5])).tokens
    assert np.any(other_seed[3] != together[3]) and np.all(other_seed[[0, 1, 2, 4]] == together[[0, 1, 2, 4]])


def test_it_goes_on_where_it_stopped():
    toy = Toy(7)
    whole = Sampler(toy)(*toy.start(2), uniform(20, [0, 1])).tokens
    first = Sampler(toy)(*toy.start(2), uniform(8, [0, 1]))
    second = Sampler(toy)(first.logits, first.states, uniform(12, [0, 1], skip=8))
    np.testing.assert_array_equal(np.concatenate([first.tokens, second.tokens], axis=1), whole)


def test_an_early_stop_saves_steps_and_changes_nothing():
    class Ending(Toy):
        def __call__(self, tokens, states):
            logits, states = super().__call__(tokens, states)
            return logits + 6.0 * ops.one_hot(ops.zeros_like(tokens), WORDS), states

    def search(early):
        calls, toy = [], Ending(0)
        beam = BeamSearch(lambda *arguments: (calls.append(1), toy(*arguments))[1], 3, 40, END, 0.5, early_stop=early)
        beam._run = beam._loop  # not compiled, so that each step is a call
        return beam(*toy.start()), len(calls)

    (early, few), (late, many) = search(True), search(False)
    assert few < many <= 40
    np.testing.assert_array_equal(early.tokens[0, 0], late.tokens[0, 0])


def test_what_is_refused():
    for settings in ({"temperature": -1}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}):
        with pytest.raises(ConfigError, match=f"{next(iter(settings))} is .*; allowed:"):
            Sampler(Toy(), **settings)
    with pytest.raises(ConfigError, match="n_best is 3 of 2 beams"):
        BeamSearch(Toy(), 2, 5, n_best=3)
    with pytest.raises(ConfigError, match="length is 0"):
        BeamSearch(Toy(), 2, 0)


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(0, None, None), (1, None, None), (0.7, 3, None), (1.5, None, 0.6), (1, 3, 0.8)]
)
def test_a_stream_has_the_tokens_of_a_call(temperature, top_k, top_p):
    sampler = Sampler(Toy(), temperature, top_k, top_p)
    start, uniforms = Toy().start(batch=5), uniform(40, seeds=range(5))
    whole, stream = sampler(*start, uniforms), list(sampler.stream(*start, uniforms))
    assert np.concatenate([sampled.tokens for sampled in stream], axis=1).tolist() == whole.tokens.tolist()
    assert sum(sampled.scores for sampled in stream) == pytest.approx(whole.scores, rel=1e-4)
    assert np.asarray(stream[-1].logits) == pytest.approx(np.asarray(whole.logits), rel=1e-4)
    middle = stream[9]  # from which the rest goes on
    after = list(sampler.stream(middle.logits, middle.states, uniforms[10:]))
    assert [sampled.tokens.tolist() for sampled in after] == [sampled.tokens.tolist() for sampled in stream[10:]]
