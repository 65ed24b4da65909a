"""Texts written in C, against the model in float64, draw by draw, and against the compiled loop of Keras."""

import numpy as np
import pytest

from seqtasks import EncoderConfig
from seqtasks.decoding.sampling import Sampler, uniform
from seqtasks.engines import native
from seqtasks.engines.native import library
from seqtasks.engines.native.text_generation import Layer, NativeTextGenerator
from seqtasks.layers import Encoder
from seqtasks.task_types import LanguageOptions
from seqtasks.task_types.language_modeling.model import LanguageStep, language_model, read
from tests.engines.native_oracle import step as oracle_step
from tests.engines.native_shapes import at_once, stack, states_of

pytestmark = pytest.mark.skipif(library.library() is None, reason="the loop in C was not built")


@pytest.fixture(params=["avx512", "avx2", "portable"])
def instructions(request):
    if not library.choose(request.param):
        pytest.skip(f"this CPU has no {request.param}")
    yield request.param
    library.choose(None)


def forced(parts, states, tokens):
    """The logits after each token, and the states after the last, in float64."""
    import torch

    table, layers, head, bias = parts
    of = {id(a): torch.tensor(a.astype("f8")) for la in layers for a in (la.w, la.bias, la.u, la.b) if a is not None}
    states = [[torch.tensor(s.astype("f8")) for s in own] for own in states]
    actual = []
    for now in tokens.T:
        x = torch.tensor(table[now].astype("f8"))
        for i, layer in enumerate(layers):
            p = x if layer.w is None else x @ of[id(layer.w)] + of[id(layer.bias)]
            h, *c = states[i]
            b = None if layer.b is None else of[id(layer.b)]
            x, new_c = oracle_step(layer.kind, p, h, c[0] if c else None, of[id(layer.u)], b)
            states[i] = [x, new_c][: len(states[i])]
        actual.append((x @ torch.tensor(head.astype("f8")) + torch.tensor(bias.astype("f8"))).numpy())
    return np.stack(actual, 1), states


@pytest.mark.a_third
@pytest.mark.parametrize("kind", range(len(native.KINDS)), ids=list(native.KINDS))
@pytest.mark.parametrize(("batch", "units", "vocabulary", "threads"), [(1, 64, 66, 2), (3, 33, 7, 1), (7, 100, 40, 3)])
@pytest.mark.parametrize("projected", [False, True])
def test_each_draw_is_right_in_float64(kind, batch, units, vocabulary, threads, projected, instructions, monkeypatch):
    pytest.importorskip("torch")
    rng = np.random.default_rng(kind)
    parts = stack(rng, kind, units, vocabulary, projected)
    states, logits, draws = (
        states_of(rng, parts[1], batch),
        rng.normal(size=(batch, vocabulary)),
        uniform(12, range(batch)),
    )
    writer = NativeTextGenerator(*parts)
    monkeypatch.setattr(writer, "_threads", lambda: threads)
    actual = writer(logits, states, draws, 0.8)
    after, last = forced(parts, states, actual.tokens)
    every = np.concatenate([logits.astype("f4")[:, None], after], 1)
    np.testing.assert_allclose(actual.logits, every[:, -1], atol=1e-4)
    for own, expected in zip(actual.states, last, strict=True):
        for state, right in zip(own, expected, strict=True):
            np.testing.assert_allclose(state, right, atol=1e-5)
    logp = every[:, :-1] - np.log(np.exp(every[:, :-1]).sum(-1, keepdims=True))
    gained = np.take_along_axis(logp, actual.tokens[..., None], -1)[..., 0].sum(1)
    np.testing.assert_allclose(actual.scores, gained, atol=1e-3)
    p = np.exp(logp / 0.8)
    below = np.cumsum(p / p.sum(-1, keepdims=True), -1)
    upper = np.take_along_axis(below, actual.tokens[..., None], -1)[..., 0]
    lower = np.take_along_axis(np.pad(below, ((0, 0), (0, 0), (1, 0))), actual.tokens[..., None], -1)[..., 0]
    assert np.all(lower - 1e-5 <= draws.T) and np.all(upper + 1e-5 >= draws.T)
    np.testing.assert_array_equal(writer(logits, states, draws, 0.0).tokens[:, 0], logits.argmax(-1))


SETTINGS = [
    {},
    {"temperature": 0.0},
    {"temperature": 1e-39},
    {"top_p": 1.0},
    {"top_k": 4},
    {"top_p": 0.6},
    {"temperature": 1.3, "top_k": 9, "top_p": 0.8},
]
MODELS = [
    ("lstm", {}, {}),
    ("gru", {"layers": 2}, {"tie_embeddings": True}),
    ("peephole_lstm", {"dropout": 0.5}, {"embedding_dim": 5}),
]


@pytest.mark.a_third
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize(("cell", "encoder", "options"), MODELS)
def test_it_draws_what_the_compiled_loop_draws(cell, encoder, options, settings):
    model = language_model(
        Encoder(EncoderConfig(cell=cell, units=16, **encoder), name="encoder"), 30, LanguageOptions(**options), "lm"
    )
    for weight in model.trainable_weights:  # far from even
        weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    step = LanguageStep(model, never=[0, 7])
    logits, states = read(model, np.array([[1, 2, 3], [4, 5, 6]], "int32"))
    logits, draws = step.allowed(logits), uniform(40, [3, 4])
    expected = Sampler(lambda tokens, states: step(tokens, states), **settings)(logits, states, draws)
    actual = Sampler(step, **settings)(logits, states, draws)
    np.testing.assert_array_equal(actual.tokens, expected.tokens)
    assert not np.isin(actual.tokens, [0, 7]).any()
    np.testing.assert_allclose(actual.scores, expected.scores, atol=1e-3)
    np.testing.assert_allclose(actual.logits, expected.logits, atol=1e-3)
    first = Sampler(step, **settings)(logits, states, draws[:15])
    rest = Sampler(step, **settings)(first.logits, first.states, draws[15:])
    np.testing.assert_array_equal(np.concatenate([first.tokens, rest.tokens], 1), actual.tokens)


def test_the_rows_of_a_large_vocabulary_are_projected_as_they_come():
    model = language_model(Encoder(EncoderConfig(units=8), name="encoder"), 1500, LanguageOptions(), "lm")
    step, draws = LanguageStep(model), uniform(30, [0])
    start = read(model, np.array([[1]], "int32"))
    assert step.table is None
    np.testing.assert_array_equal(
        Sampler(step)(*start, draws).tokens, Sampler(lambda t, s: step(t, s))(*start, draws).tokens
    )


OTHER = [{"engine": "loop"}, {"cell": "mgu"}, {"skip": "residual", "layers": 2}, {"layer_norm": True}]


@pytest.mark.parametrize("changes", OTHER)
def test_native_generator_needs_native_layers_alone(changes):
    model = language_model(Encoder(EncoderConfig(units=8, **changes), name="encoder"), 9, LanguageOptions(), "lm")
    assert LanguageStep(model).writer() is None
    actual = Sampler(LanguageStep(model))(*read(model, np.array([[1]], "int32")), uniform(5, [0]))
    assert actual.tokens.shape == (1, 5)


def test_a_draw_of_zero_takes_no_token_without_probability_and_no_number_stays_in_range():
    rng = np.random.default_rng(0)
    parts = stack(rng, library.LSTM, 8, 9, False)
    writer, states = NativeTextGenerator(*parts), states_of(rng, parts[1], 1)
    logits = np.array([[-1e9, 1, -1e9, 2, 0, 0, 0, 0, -1e9]], "f4")
    assert writer(logits, states, np.zeros((1, 1), "f4")).tokens == 1
    nearly = np.nextafter(np.float32(1), np.float32(0))
    assert writer(logits, states, np.full((1, 1), nearly, "f4")).tokens == 7
    for settings in ({}, {"temperature": 0.0}, {"top_k": 3, "top_p": 0.5}):
        actual = writer(np.full((1, 9), np.nan), states, uniform(9, [0]), **settings)
        assert actual.tokens.min() >= 0 and actual.tokens.max() < 9 and np.isnan(actual.scores).all()


def test_mismatched_lengths_are_refused_and_empty_input_gives_zero():
    rng = np.random.default_rng(0)
    parts = table, layers, head, bias = stack(rng, library.GRU, 8, 9, False)
    for wrong in ((table[:, :5], layers, head, bias), (table, layers, head[:3], bias), (table, layers, head, bias[1:])):
        with pytest.raises(ValueError, match="allowed"):
            NativeTextGenerator(*wrong)
    projected = [layers[0], Layer(library.GRU, None, layers[1].bias, layers[1].u, layers[1].b)]
    with pytest.raises(ValueError, match="a layer without w reads 8 numbers; allowed: the first layer"):
        NativeTextGenerator(table, projected, head, bias)
    without_b = [Layer(library.GRU, la.w, la.bias, la.u) for la in layers]
    with_b = [Layer(library.LSTM, np.zeros((6, 32)), np.zeros(32), np.zeros((8, 32)), np.zeros(24))]
    for wrong, message in (
        (without_b, "a layer has w, bias, u; allowed: .*, b"),
        (with_b, "u, b; allowed"),
        ([], "0 layers"),
    ):
        with pytest.raises(ValueError, match=message):
            NativeTextGenerator(table, wrong, head, bias)
    writer, states, logits = NativeTextGenerator(*parts), states_of(rng, layers, 2), np.zeros((2, 9), "f4")
    for wrong in ((logits[:1], states), (logits, states[:1]), (logits, [[s[0][:1]] for s in states])):
        with pytest.raises(ValueError, match="allowed"):
            writer(*wrong, uniform(3, [0, 1]))
    actual = writer(logits, states, np.zeros((0, 2)))
    assert actual.tokens.shape == (2, 0) and not actual.scores.any()
    np.testing.assert_array_equal(actual.states[0][0], states[0][0])
    assert writer(logits[:0], [[s[0][:0]] for s in states], np.zeros((4, 0))).tokens.shape == (0, 4)


def test_several_threads_of_python_may_write_at_once():
    rng = np.random.default_rng(0)
    parts = stack(rng, library.LSTM, 128, 66, True)
    writer, states, logits = NativeTextGenerator(*parts), states_of(rng, parts[1], 1), rng.normal(size=(1, 66))
    expected = writer(logits, states, uniform(300, [0])).tokens
    actual = at_once(lambda: writer(logits, states, uniform(300, [0])).tokens)
    assert len(actual) == 4
    for tokens in actual:
        np.testing.assert_array_equal(tokens, expected)
