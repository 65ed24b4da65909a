"""Keras's implicit mask: equal to explicit ones through all layers, and to PyTorch's packed sequences."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from seqtasks.cells.registration import make_cell
from seqtasks.core import plugins
from seqtasks.core.config import EncoderConfig
from seqtasks.engines import available
from seqtasks.layers.attention import Attention
from seqtasks.layers.crf import CRF
from seqtasks.layers.decoder import Decoder
from seqtasks.layers.embedding import ActivityPenalty, Embedding, WordDropout
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.losses import AuxiliaryLoss, TagLoss
from seqtasks.layers.metrics import TagAccuracy
from seqtasks.layers.permute_time import PermuteTime
from seqtasks.layers.pooling import Pooling
from seqtasks.layers.recurrent import Recurrent
from seqtasks.layers.scheduled_sampling import ScheduledSampling
from seqtasks.layers.softmax_heads import AdaptiveSoftmaxHead, LabelSmoothingHead, SoftmaxHead
from seqtasks.layers.speech import CTCHead, SpecAugment, TimeReduction, joined_mask
from seqtasks.layers.tagging_head import TagHead

BUNDLED = [entry.name for entry in plugins.cells.entries() if entry.module.startswith("seqtasks.cells.")]
LENGTHS = np.array([6, 3, 1, 4])
MASK = np.arange(6)[None] < LENGTHS[:, None]
TOKENS = np.where(MASK, np.random.default_rng(0).integers(1, 7, MASK.shape), 0)
LABELS = np.where(MASK, np.random.default_rng(1).integers(0, 3, MASK.shape), 0)
VECTORS = keras.layers.Embedding(7, 4, mask_zero=True, embeddings_initializer=keras.initializers.RandomNormal(seed=2))
X = np.array(VECTORS(TOKENS))  # carries no mask
READERS = {
    "forward": lambda: recurrent("lstm"),
    "backward": lambda: recurrent("gru", direction="backward"),
    "bidirectional": lambda: encoder(bidirectional=True),
    "stack": lambda: encoder(layers=2, bidirectional=True, skip="residual", layer_norm=True),
}


def recurrent(cell="lstm", units=4, **more):
    return Recurrent(make_cell(cell, units), **more)


def encoder(**settings):
    return Encoder(EncoderConfig(**{"cell": "gru", "units": 4, **settings}))


def mask_of(tensor):
    return getattr(tensor, "_keras_mask", None)


def same(got, wanted, tolerance=1e-6):
    got, wanted = (keras.tree.map_structure(np.asarray, list(keras.tree.flatten(side))) for side in (got, wanted))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance)


def reading(layer):
    return lambda x, **mask: layer(x, **mask)


def vector(layer):
    return lambda x, **mask: layer(x, return_sequences=False, **mask)


def attending():
    attention, decoder = Attention("additive", 3), Decoder(EncoderConfig(units=3))
    query = keras.layers.Dense(2)

    def run(x, **mask):
        start = [[ops.zeros_like(x[:, 0, :3])] * 2]
        return attention(query(x)[:, :2], x, **mask), decoder(query(x)[:, :2], start, x, **mask)[:2]

    return run


def joining():
    join, above = TimeReduction(2), recurrent()
    return lambda x, **mask: above(join(x, **mask), **{k: joined_mask(m, 2) for k, m in mask.items()})


def reordering():
    order, above = [5, 0, 3, 1, 2, 4], recurrent()
    layer = PermuteTime(order)
    return lambda x, **mask: above(layer(x), **{k: m[:, order] for k, m in mask.items()})


def passing(*layers):
    """Layers that treat each step by itself, then one that reads the mask."""
    above = recurrent()

    def run(x, **mask):
        for layer in layers:
            x = layer(x)
        return above(x, **mask)

    return run


def tagging(crf, targets):
    head = TagHead(["a", "b", "c"], crf)
    return lambda x, **mask: valid(head(x, LABELS if targets else None, **mask))


def emitting(targets):
    dense, crf = keras.layers.Dense(3), CRF(3)
    return lambda x, **mask: crf(dense(x), LABELS if targets else None, **mask)


def valid(x):
    """Zeros at padding, where a head may give anything."""
    return ops.where(ops.reshape(ops.array(MASK), (*MASK.shape, *[1] * (len(x.shape) - 2))), x, ops.zeros_like(x))


AFTER = {
    **{name: lambda make=make: reading(make()) for name, make in READERS.items()},
    "last of a layer": lambda: vector(recurrent("gru")),
    "last of a stack": lambda: vector(encoder(layers=2, bidirectional=True)),
    "average of Keras": lambda: reading(keras.layers.GlobalAveragePooling1D()),
    **{
        f"pooling {how}": lambda how=how: reading(Pooling(how))
        for how in ("last", "mean", "max", "attention", "concat")
    },
    "attention": attending,
    "joined": joining,
    "reordered": reordering,
    "augmented": lambda: passing(SpecAugment()),
    "layers of Keras": lambda: passing(
        keras.layers.Dropout(0.5),
        keras.layers.LayerNormalization(),
        keras.layers.TimeDistributed(keras.layers.Dense(3)),
    ),
    "heads": lambda: passing(SoftmaxHead(5), AdaptiveSoftmaxHead(5, [2])),
    "blank": lambda: reading(CTCHead(3)),
    **{f"tags {crf} {targets}": lambda c=crf, t=targets: tagging(c, t) for crf in (0, 1) for targets in (0, 1)},
    **{f"crf {targets}": lambda t=targets: emitting(t) for targets in (0, 1)},
}


def functional(*parts):
    tokens = keras.Input((6,), batch_size=4, dtype="int32")
    x = VECTORS(tokens)
    for part in parts:
        x = part(x)
    return keras.Model(tokens, x)


def check(reader, after):
    """A functional model with the mask of the embedding gives the numbers of masks as arguments."""

    def first(x, **mask):
        return reader(x, **mask)[0]

    model = functional(first, after)
    rng = np.random.default_rng(3)
    for layer in model.layers:
        if layer is not VECTORS:  # a bias of zero would hide what is computed at padding
            layer.set_weights([w + rng.normal(size=w.shape) * 0.3 for w in layer.get_weights()])
    explicit = after(ops.convert_to_tensor(np.array(first(X, mask=MASK))), mask=MASK)
    same(model(TOKENS), explicit)
    return model, explicit


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("after", AFTER)
def test_all_that_reads_a_bidirectional_encoder(after):
    reader, part = READERS["bidirectional"](), AFTER[after]()
    _, explicit = check(reader, part)
    unmasked = part(ops.convert_to_tensor(np.array(reader(X, mask=MASK)[0])))
    if after not in ("tags 0 0", "tags 0 1", "tags 1 0", "crf 0"):  # each step by itself; tags, which may be the same
        pairs = zip(keras.tree.flatten(unmasked), keras.tree.flatten(explicit), strict=True)
        assert max(np.abs(np.array(a) - np.array(b)).max() for a, b in pairs) > 1e-3


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("after", ["forward", "stack", "average of Keras"])
@pytest.mark.parametrize("reader", ["forward", "backward", "stack"])
def test_all_readers(reader, after):
    check(READERS[reader](), AFTER[after]())


@pytest.mark.filterwarnings("error::UserWarning")
def test_a_compiled_and_a_loaded_model(tmp_path):
    part = AFTER["stack"]()
    model, explicit = check(READERS["stack"](), lambda x, **mask: part(x, **mask)[0])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        same(each.predict(TOKENS, verbose=0), explicit)
    tokens = keras.Input((6,), dtype="int32")
    again = keras.Model(tokens, keras.layers.GlobalAveragePooling1D()(loaded(tokens)))
    same(again(TOKENS), keras.layers.GlobalAveragePooling1D()(explicit, mask=MASK))
    same(tf.function(model)(tf.constant(TOKENS)), explicit)


@pytest.mark.each_cell
@pytest.mark.parametrize("name", BUNDLED)
def test_every_cell_on_every_engine(name):
    x = VECTORS(TOKENS)
    for engine in available(make_cell(name, 4)):
        layer, above = recurrent(name, engine=engine), recurrent(name, engine=engine)
        first, _ = layer(x)
        wanted, _ = layer(X, mask=MASK)
        same(above(first), above(np.array(wanted), mask=MASK))


def layers_with_masks():
    """Layers, a call of each with an input that carries a mask, and the masks that its outputs carry then."""
    x, full = VECTORS(TOKENS), ops.ones((4, 6, 4))
    states = [[ops.zeros((4, 4))] * 2]
    decoder = Decoder(EncoderConfig(units=4))
    head = SoftmaxHead(5)
    return {
        "recurrent": (recurrent()(x), [MASK, None, None]),
        "vector": (recurrent()(x, return_sequences=False), [None, None, None]),
        "encoder": (encoder(bidirectional=True)(x), [MASK, None, None]),
        "encoder vector": (encoder()(x, return_sequences=False), [None, None]),
        "decoder": (decoder(x, states, full), [MASK, None, None, None]),
        "decoder of a memory": (decoder(full, states, x), [None, None, None, None]),
        "query": (Attention("additive", 3)(x, full), [MASK, None]),
        "memory": (Attention("additive", 3)(full, x), [None, None]),
        "pooling": (Pooling("mean")(x), [None]),
        "joined": (TimeReduction(2)(x), [MASK[:, ::2]]),
        "reordered": (PermuteTime([5, 4, 3, 2, 1, 0])(x), [MASK[:, ::-1]]),
        "augmented": (SpecAugment()(x, training=True), [MASK]),
        "tags": (TagHead(["a", "b"], True)(x), [MASK]),
        "losses of tags": (TagHead(["a", "b"])(x, LABELS % 2), [MASK]),
        "crf": (CRF(4)(x), [MASK]),
        "loss of a crf": (CRF(4)(x, LABELS), [None]),
        "blank": (CTCHead(3)(x), [None]),
        "head": (head(x), [MASK]),
        "losses of a head": (head(x, LABELS), [MASK]),
        "adaptive head": (AdaptiveSoftmaxHead(5, [2])(x, LABELS), [MASK]),
        "smoothed head": (LabelSmoothingHead(head)(x, LABELS), [MASK, MASK]),
        "dropped words": (WordDropout(0.5, 7)(x, TOKENS, training=True), [MASK]),
        "penalty": (ActivityPenalty(1.0, 1.0)(x, x, training=True), [MASK]),
        "auxiliary loss": (AuxiliaryLoss()(x, full[..., 0], training=True), [MASK]),
        "auxiliary loss of masked losses": (AuxiliaryLoss()(full, head(x, LABELS), training=True), [None]),
        "table": (Embedding(7, 4, mask_zero=True)(TOKENS, whole=True), [None]),
        "sampled": (ScheduledSampling(0.5, 1)(TOKENS, TOKENS, training=True), [None]),
    }


@pytest.mark.filterwarnings("error::UserWarning")
def test_what_outputs_carry():
    for name, (outputs, masks) in layers_with_masks().items():
        carried = [mask_of(tensor) for tensor in keras.tree.flatten(outputs)]
        assert [mask is None for mask in carried] == [mask is None for mask in masks], name
        for mask, wanted in zip(carried, masks, strict=True):
            assert wanted is None or np.array_equal(mask, wanted), name


def test_a_functional_tensor_carries_its_mask():
    x = VECTORS(keras.Input((None,), dtype="int32"))
    outputs, states = encoder(bidirectional=True)(x)
    assert isinstance(mask_of(outputs), keras.KerasTensor)
    assert not any(mask_of(state) for layer in states for state in layer)
    assert mask_of(encoder()(x, return_sequences=False)[0]) is None


def test_an_explicit_mask_wins():
    layer, above = recurrent(), recurrent()
    other = np.roll(MASK, 1, axis=0)
    wanted, _ = layer(X, mask=other)
    for outputs, _ in (layer(VECTORS(TOKENS), mask=other), layer(VECTORS(TOKENS), other)):
        same(outputs, wanted)
        assert np.array_equal(mask_of(outputs), other)
        same(above(outputs), above(np.array(wanted), mask=other))
    head = TagHead(["a", "b"])(VECTORS(TOKENS), LABELS % 2, other)
    assert np.array_equal(mask_of(head), other)


def test_a_mask_that_is_only_an_argument_stays_one():
    """Its model has sample weights, and Keras would mask the loss a second time."""
    tokens, mask = keras.Input((6,), dtype="int32"), keras.Input((6,), dtype="bool")
    x = keras.layers.Embedding(7, 4)(tokens)
    for layer in (recurrent(engine="keras"), encoder(layers=2, skip="residual"), SpecAugment(), TimeReduction(2)):
        assert mask_of(keras.tree.flatten(layer(x, mask=mask))[0]) is None
        outputs = keras.tree.flatten(layer(ops.convert_to_tensor(X), mask=MASK))
        assert all(mask_of(output) is None for output in outputs)


def test_beside_other_inputs_and_over_chunks():
    start = [np.full((4, 4), 0.3, "float32")] * 2
    for layer in (recurrent(), recurrent(stateful=True), encoder(cell="lstm")):
        given = [start] if isinstance(layer, Encoder) else start
        same(layer(VECTORS(TOKENS), initial_state=given), layer(X, mask=MASK, initial_state=given))
        reset = np.array([True, False, True, False])
        same(
            layer(VECTORS(TOKENS), initial_state=given, reset=reset),
            layer(X, mask=MASK, initial_state=given, reset=reset),
        )
    kept, whole = recurrent(stateful=True), recurrent()
    whole.build(X.shape)
    kept.build(X.shape)
    kept.cell.set_weights(whole.cell.get_weights())
    chunks = [kept(VECTORS(TOKENS[:, :2]))[0], kept(VECTORS(TOKENS[:, 2:]))[0]]
    same(ops.concatenate(chunks, axis=1), whole(X, mask=MASK)[0])


def test_rows_of_a_table():
    vectors, layer = Embedding(7, 4, mask_zero=True), encoder(layers=2, bidirectional=True)
    carrying, table = vectors(TOKENS), vectors(TOKENS, whole=True)
    wanted = layer(np.array(carrying), mask=MASK)
    same(layer(carrying, tokens=TOKENS, table=table), wanted)
    same(layer(carrying), wanted)


@pytest.mark.parametrize("feeding", [False, True])
def test_a_decoder_of_padded_targets(feeding):
    decoder = Decoder(EncoderConfig(cell="gru", units=4), feeding=feeding)
    memory, start = VECTORS(TOKENS[::-1].copy()), [[np.full((4, 4), 0.3, "float32")]]
    outputs, weights, states = decoder(VECTORS(TOKENS), start, memory)
    explicit = decoder(X, start, np.array(memory), mask=MASK[::-1], x_mask=MASK)
    same((outputs, weights, states), explicit)
    assert not np.any(np.array(outputs)[~MASK])
    for row, length in enumerate(LENGTHS):
        rows = slice(row, row + 1)
        alone = decoder(X[rows, :length], [[start[0][0][rows]]], np.array(memory)[rows, : LENGTHS[3 - row]])
        same(outputs[rows, :length], alone[0])
        same([state[rows] for state in keras.tree.flatten(states)], alone[2])
    plain = decoder(X, start, np.array(memory), mask=MASK[::-1])
    same(np.array(plain[0])[MASK], np.array(outputs)[MASK])


def test_penalties_are_means_over_valid_steps():
    penalty, auxiliary = ActivityPenalty(2.0, 3.0), AuxiliaryLoss()
    x = VECTORS(TOKENS)
    penalty(x, x, training=True)
    changes = [np.square(X[row, 1:n] - X[row, : n - 1]) for row, n in enumerate(LENGTHS)]
    changes = np.concatenate(changes).mean()
    same(penalty.losses, [2 * np.square(X[MASK]).mean(), 3 * changes])
    auxiliary(x, X[..., 0], mask=MASK, training=True)
    same(auxiliary.losses, [X[MASK][:, 0].mean()])


def trained(model, inputs, targets, loss, metric, weights=None):
    model.compile(keras.optimizers.SGD(0.1), loss, weighted_metrics=[metric])
    before = model.get_weights()
    numbers = [float(n) for n in model.train_on_batch(inputs, targets, weights)]
    return numbers, [b - a for a, b in zip(before, model.get_weights(), strict=True)]


@pytest.mark.parametrize("what", ["classes", "tags"])
def test_the_loss_counts_valid_steps(what):
    """As with masks and sample weights that are arguments."""
    tokens, targets = keras.Input((6,), dtype="int32"), keras.Input((6,), dtype="int32")
    reader, plain = encoder(bidirectional=True), keras.layers.Embedding(7, 4)
    if what == "tags":
        head, loss, metric = TagHead(["a", "b", "c"]), TagLoss(), TagAccuracy
    else:
        head = keras.layers.TimeDistributed(keras.layers.Dense(3))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")
        metric = keras.metrics.SparseCategoricalAccuracy
    found = []
    for vectors, mask, weights in (
        (keras.layers.Embedding(7, 4, mask_zero=True), None, None),
        (plain, ops.not_equal(tokens, 0), MASK.astype("float32")),
    ):
        vectors.build()
        vectors.set_weights(VECTORS.get_weights())
        hidden, _ = reader(vectors(tokens), mask=mask)
        outputs = head(hidden, targets, mask=mask) if what == "tags" else head(hidden)
        inputs = [tokens, targets][: 2 if what == "tags" else 1]
        model = keras.Model(inputs, outputs)
        start = model.get_weights()
        found.append(trained(model, [TOKENS, LABELS][: len(inputs)], LABELS, loss, metric(), weights))
        model.set_weights(start)
    same(*found)


def test_where_a_mask_is_lost_is_named_once():
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return x * 2

    class Joined(keras.layers.Layer):
        def call(self, x, y):
            return x + y

    layer = recurrent()
    inputs = keras.Input((6,), dtype="int32")
    x, _ = layer(VECTORS(inputs))
    with pytest.warns(UserWarning, match="Layer 'double' .* does not support masking") as seen:
        model = keras.Model(inputs, layer(Doubled(name="double")(x))[0])  # Keras's own warning
    assert len(seen) == 1
    model.predict(TOKENS, verbose=0)
    for make, name in (
        (ops.tanh, "'tanh"),
        (lambda x: ops.relu(ops.tanh(x)), "'tanh"),
        (lambda x: Joined(name="join")(keras.layers.Embedding(7, 4)(inputs), x), "'join'"),
        (lambda x: keras.layers.Lambda(lambda x: x, name="same")(x), "'same'"),
    ):
        for reads in (layer, Pooling("mean"), lambda x: Attention("additive", 3)(keras.Input((2, 4)), x)):
            with pytest.warns(UserWarning, match=name) as seen:
                reads(make(x))
            assert len(seen) == 1


@pytest.mark.filterwarnings("error::UserWarning")
def test_no_warning_without_a_lost_mask():
    layer, inputs, mask = recurrent(), keras.Input((6,), dtype="int32"), keras.Input((6,), dtype="bool")
    x, _ = layer(VECTORS(inputs))
    layer(ops.tanh(x), mask=mask)
    layer(ops.tanh(keras.Input((6, 4))))
    layer(keras.layers.RepeatVector(3)(layer(x, return_sequences=False)[0]))
    layer(ops.expand_dims(Pooling("mean")(x), 1))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_stacks_equal_packed_sequences(cell, bidirectional):
    """Each pair of layers, and what reads the second, against PyTorch."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: pip install 'seqtasks[oracle]'")
    from tests.engines.test_torch_oracle import MODULES, to_torch

    rng = np.random.default_rng(4)
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.tensor(X), LENGTHS, batch_first=True, enforce_sorted=False)
    first = encoder(cell=cell, bidirectional=True) if bidirectional else recurrent(cell)
    second = recurrent(cell, 5) if bidirectional else encoder(cell=cell, units=5, bidirectional=True)
    tokens = keras.Input((6,), dtype="int32")
    x, width = VECTORS(tokens), 4
    for layer, units in ((first, 4), (second, 5)):
        x, states = layer(x)
        recurrents = layer.recurrents if isinstance(layer, Encoder) else [layer]
        module = MODULES[cell](width, units, batch_first=True, bidirectional=len(recurrents) == 2)
        for direction, one in enumerate(recurrents):
            one.cell.set_weights([rng.normal(scale=0.6, size=w.shape) for w in one.cell.get_weights()])
            to_torch(module, direction, cell, one.cell.get_weights())
        packed, final = module(packed)
        width = units * len(recurrents)
    pooled = [Pooling(how)(x) for how in ("mean", "max")] + [keras.layers.GlobalAveragePooling1D()(x)]
    read, _ = Attention("multiplicative", 3, name="attention")(keras.layers.Dense(2)(x[:, :1] * 0), x)  # the mean
    model = keras.Model(tokens, [x, *keras.tree.flatten(states), *pooled, read])
    outputs, *found = model(TOKENS)

    wanted, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True, total_length=6)
    rows = [wanted[row, :n].detach().numpy() for row, n in enumerate(LENGTHS)]
    final = final if cell == "lstm" else (final,)
    ends = [state[d].detach().numpy() for d in range(len(recurrents)) for state in final]
    means = np.stack([row.mean(axis=0) for row in rows])
    most = np.stack([row.max(axis=0) for row in rows])
    same([outputs, *found], [wanted.detach().numpy(), *ends, means, most, means, means[:, None]], 1e-5)
