"""The CRF against all paths counted one by one in NumPy, and its gradients against differences."""

from itertools import pairwise, product

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.core.span_scheme import transitions_of
from seqtasks.layers.crf import CRF

MASKS = [[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]]
SPANS = {"BIO": ["O", "B-X", "I-X", "B-Y", "I-Y"], "BIOES": ["O", "B-X", "I-X", "E-X", "S-X"]}
METHODS = ["__call__", "score", "log_partition", "decode", "marginals"]


def make(tags, seed=0, dtype="float64", **settings):
    layer = CRF(tags, dtype=dtype, **settings)
    layer.build()
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def draw(tags, seed=1, time=4):
    rng, rows = np.random.default_rng(seed), len(MASKS)
    return rng.normal(size=(rows, time, tags), scale=2), rng.integers(tags, size=(rows, time))


def paths(layer, emissions, real, legal=None):
    """Each path over the real steps of one row, and its score."""
    transitions, start, end = (weight.numpy() for weight in layer.weights)
    steps = np.flatnonzero(real)
    for path in product(range(layer.tags), repeat=len(steps)):
        if legal is not None and not legal(path):
            continue
        score = sum(emissions[t, y] for t, y in zip(steps, path, strict=True))
        score += sum(transitions[a, b] for a, b in pairwise(path))
        if path:
            score += start[path[0]] + end[path[-1]]
        yield path, score


def rules(labels):
    """What is legal, as the layer takes it, and as a question about a path."""
    allowed, starts, ends = transitions_of(labels)

    def legal(path):
        if not len(path):
            return True
        return starts[path[0]] and ends[path[-1]] and all(allowed[a][b] for a, b in pairwise(path))

    return {"allowed": allowed, "starts": starts, "ends": ends}, legal


# In graphs the loop takes four steps a turn: 1 and 7 are no multiples.
@pytest.mark.a_third
@pytest.mark.parametrize(("tags", "time"), [(1, 4), (2, 4), (3, 4), (4, 1), (2, 7)])
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_all_paths(tags, time, graph):
    layer, (e, y) = make(tags), draw(tags, time=time)
    mask = np.array(MASKS, bool) if time == 4 else np.random.default_rng(2).random((len(MASKS), time)) < 0.7
    run = tf.function if graph else (lambda function: function)
    totals = np.asarray(run(layer.log_partition)(tf.constant(e), mask))
    scores = np.asarray(run(layer.score)(tf.constant(e), y, mask))
    best, found = (np.asarray(v) for v in run(layer.decode)(tf.constant(e), mask))
    shares = np.asarray(run(layer.marginals)(tf.constant(e), mask))
    assert totals.dtype == "float64" and best.dtype == "int32"
    for row, real in enumerate(mask):
        steps = np.flatnonzero(real)
        every = dict(paths(layer, e[row], real))
        total = np.logaddexp.reduce(list(every.values()))
        assert totals[row] == pytest.approx(total, abs=1e-10)
        assert scores[row] == pytest.approx(every[tuple(y[row, steps].tolist())], abs=1e-10)
        winner = max(every, key=every.get)
        assert tuple(best[row, steps].tolist()) == winner and not best[row, ~real].any()
        assert found[row] == pytest.approx(every[winner], abs=1e-10) and found[row] <= total + 1e-9
        wanted = np.zeros((time, tags))
        for path, score in every.items():
            wanted[steps, list(path)] += np.exp(score - total)
        np.testing.assert_allclose(shares[row], wanted, atol=1e-10)
        np.testing.assert_allclose(shares[row, steps].sum(-1), 1, atol=1e-10)


@pytest.mark.parametrize("constrain", [False, True])
def test_gradients_are_those_of_differences_and_zero_at_padding(constrain):
    legal = {"allowed": [[1, 0, 1], [1, 1, 1], [0, 1, 1]], "starts": [1, 1, 0], "ends": [0, 1, 1]}
    layer, (e, y), mask = make(3, **legal, constrain_training=constrain), draw(3), np.array(MASKS, bool)
    if constrain:  # the loss of what is forbidden is too large for differences
        y = np.asarray(layer.decode(e, mask)[0])

    @tf.function
    def loss(e):
        return tf.reduce_sum(layer(e, y, mask) ** 2)

    @tf.function
    def slopes(e):
        with tf.GradientTape() as tape:
            tape.watch(e)
            value = loss(e)
        return tape.gradient(value, [e, *(w.value for w in layer.weights)])

    def difference(values, place, look):
        found, step = [], 1e-6
        for side in (step, -step):
            moved = values.copy()
            moved[place] += side
            found.append(float(look(moved)))
        return (found[0] - found[1]) / 2 / step

    found = [np.asarray(tf.convert_to_tensor(slope)) for slope in slopes(tf.constant(e))]
    assert not found[0][~mask].any()
    for place in np.ndindex(e.shape):
        assert found[0][place] == pytest.approx(difference(e, place, lambda v: loss(tf.constant(v))), abs=1e-6)

    def with_weight(weight, values):
        weight.assign(values)
        return loss(tf.constant(e))

    for weight, slope in zip(layer.weights, found[1:], strict=True):
        first = weight.numpy()
        for place in np.ndindex(first.shape):
            wanted = difference(first, place, lambda v, weight=weight: with_weight(weight, v))
            assert slope[place] == pytest.approx(wanted, abs=1e-6)
        weight.assign(first)


@pytest.mark.parametrize("labels", SPANS.values(), ids=SPANS)
def test_the_best_legal_sequences_are_decoded(labels):
    settings, legal = rules(labels)
    layer = make(5, **settings)
    (e, _), mask = draw(5, seed=3), np.array(MASKS, bool)
    best, found = (np.asarray(v) for v in layer.decode(tf.constant(e), mask))
    strict = make(5, **settings, constrain_training=True)
    totals = np.asarray(strict.log_partition(tf.constant(e), mask))
    for row, real in enumerate(mask):
        every = dict(paths(layer, e[row], real, legal))
        assert tuple(best[row, real].tolist()) == max(every, key=every.get)
        assert found[row] == pytest.approx(max(every.values()), abs=1e-9)
        assert totals[row] == pytest.approx(np.logaddexp.reduce(list(every.values())), abs=1e-6)


@pytest.mark.parametrize("labels", SPANS.values(), ids=SPANS)
def test_no_illegal_sequence_is_decoded(labels):
    settings, legal = rules(labels)
    rng = np.random.default_rng(0)
    e, mask = rng.normal(size=(200, 12, 5), scale=9).astype("float32"), rng.random((200, 12)) < 0.8
    best = np.asarray(make(5, dtype="float32", **settings)(e, mask=mask))
    assert all(legal(row[real]) for row, real in zip(best, mask, strict=True))
    free = np.asarray(make(5, dtype="float32")(e, mask=mask))
    assert not all(legal(row[real]) for row, real in zip(free, mask, strict=True))


def test_forbidden_targets_cost_much_but_not_infinitely():
    layer = make(2, dtype="float32", allowed=[[1, 0], [1, 1]], constrain_training=True)
    e = tf.constant(np.random.default_rng(0).normal(size=(1, 6, 2)).astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(e)
        loss = layer(e, np.array([[0, 1, 0, 1, 1, 1]]))
    assert float(loss[0]) == pytest.approx(2e9)
    for slope in tape.gradient(loss, [e, *(w.value for w in layer.weights)]):
        assert np.isfinite(tf.convert_to_tensor(slope)).all()


def test_padding_and_neighbours_change_nothing():
    layer, (e, y), mask = make(3), draw(3), np.array(MASKS, bool)
    wanted = np.asarray(layer(tf.constant(e), y, mask))
    wide = np.pad(e, ((0, 0), (0, 3), (0, 0)), constant_values=np.nan)
    more, tags = np.pad(mask, ((0, 0), (0, 3))), np.pad(np.where(mask, y, -100), ((0, 0), (0, 3)), constant_values=99)
    np.testing.assert_allclose(layer(tf.constant(wide), tags, more), wanted, atol=1e-12)
    np.testing.assert_array_equal(
        np.asarray(layer(tf.constant(wide), mask=more))[:, :4], layer(tf.constant(e), mask=mask)
    )
    for row in range(len(e)):
        one = layer(tf.constant(e[row : row + 1]), y[row : row + 1], mask[row : row + 1])
        np.testing.assert_allclose(one, wanted[row : row + 1], atol=1e-12)
    np.testing.assert_allclose(layer(tf.constant(e[:1]), y[:1]), wanted[:1], atol=1e-12)  # no mask: all are real


@pytest.mark.parametrize("name", METHODS)
def test_graphs_of_unknown_lengths(name):
    layer = make(3, dtype="float32")
    method, given = getattr(layer, name), name in ("__call__", "score")

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, 3)), tf.TensorSpec((None, None), "int32"), tf.TensorSpec((None, None), "bool")
        ]
    )  # fmt: skip
    def graph(e, y, mask):
        return method(e, y, mask) if given else method(e, mask)

    for time in (1, 6):
        e, y = draw(3, time=time)
        e, y = tf.constant(e, "float32"), tf.constant(y, "int32")
        mask = tf.constant(np.random.default_rng(time).random(y.shape) < 0.7)
        wanted = method(e, y, mask) if given else method(e, mask)
        for one, other in zip(tf.nest.flatten(graph(e, y, mask)), tf.nest.flatten(wanted), strict=True):
            assert one.shape == other.shape and one.dtype == other.dtype
            np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_each_method_works_alone(name):
    (e, y), mask = draw(3), np.array(MASKS, bool)
    for time in (4, 0):
        given = [e[:, :time], y[:, :time], mask[:, :time]]
        found = getattr(CRF(3), name)(*(given if name in ("__call__", "score") else given[::2]))
        assert all(np.isfinite(v).all() and (time or not np.any(v)) for v in tf.nest.flatten(found))


def test_half_precision_stays_finite():
    layer = CRF(4, dtype="mixed_float16")
    e = np.full((2, 100, 4), 60000, "float16")
    found = layer(tf.constant(e), np.zeros((2, 100), int))
    assert np.isfinite(found).all() and found.dtype == "float32"
    np.testing.assert_allclose(np.asarray(layer.marginals(tf.constant(e))), 0.25, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_policy_of_half_precision_rounds_nothing(dtype):
    (e, y), mask = draw(3), np.array(MASKS, bool)
    half, full = (make(3, dtype=policy)(e.astype(dtype), y, mask) for policy in ("mixed_float16", "float32"))
    assert half.dtype == dtype
    np.testing.assert_array_equal(half, full)


@pytest.mark.parametrize(
    "wrong", [{"allowed": [[True]]}, {"allowed": [[1, 1], [1], [1, 1]]}, {"starts": [1, 1]}, {"ends": [1, 1, 1, 1]}]
)
def test_there_is_an_entry_for_each_tag(wrong):
    with pytest.raises(ValueError, match="does not fit 3 tags"):
        CRF(3, **wrong)


def test_emissions_are_as_wide_as_there_are_tags():
    with pytest.raises(ValueError, match="emissions are 2 wide; allowed: one for each of 3 tags"):
        CRF(3)(np.zeros((2, 4, 2)))


def test_it_trains_on_any_length_and_is_saved(tmp_path):
    x, y, mask = keras.Input((None, 3)), keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="bool")
    layer = CRF(3, allowed=np.ones((3, 3), bool), starts=[1, 1, 0], constrain_training=True)
    scores = keras.layers.Dense(3)(x)
    loss, best = layer(scores, y, mask), layer(scores, mask=mask)
    assert loss.shape == (None,) and best.shape == (None, None) and best.dtype == "int32"
    model = keras.Model([x, y, mask], loss)
    model.compile(keras.optimizers.Adam(0.05), lambda true, nll: nll)
    rng = np.random.default_rng(0)

    def batches():
        for turn in range(60):
            tags = np.cumsum(np.ones((8, 5 + turn % 2), "int32"), axis=1) % 3  # transitions tell all
            given = rng.normal(size=(*tags.shape, 3)).astype("float32"), tags, np.ones(tags.shape, bool)
            yield given, np.zeros(8, "float32")

    losses = model.fit(batches(), steps_per_epoch=15, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 3
    whole = keras.Model([x, y, mask], [loss, best])
    whole.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    given = [*next(batches())[0]]
    for one, other in zip(again(given), whole(given), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    decode = keras.Model([x, mask], best)
    assert decode.predict([given[0], given[2]], verbose=0).shape == (8, 5)
