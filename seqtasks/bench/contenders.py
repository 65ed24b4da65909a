"""Contenders of the benchmark: the same training step in seqtasks, Keras and PyTorch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from seqtasks.bench.shapes import Shape

Step = Callable[[], None]
OURS = ("native", "native-jax", "keras", "loop", "loop-jit", "parallel")
NAMES = {
    "native": "seqtasks, engine native",
    "native-jax": "seqtasks, engine native, JAX",
    "keras": "seqtasks, engine keras",
    "loop": "seqtasks, engine loop",
    "loop-jit": "seqtasks, engine loop, XLA",
    "parallel": "seqtasks, engine parallel",
    "stock": "stock Keras, TensorFlow",
    "stock-jax": "stock Keras, JAX",
    "torch": "PyTorch",
    "torch-compile": "PyTorch, torch.compile",
}


def is_installed(name: str) -> bool:
    """Whether a contender's libraries are installed.

    Args:
        name: Name from `NAMES`.
    """
    if name.startswith("native"):
        from seqtasks.core import keras_import

        keras_import.import_keras()  # silently, before `engines` imports it

        from seqtasks.engines.native import library

        if library.library() is None:
            return False
    needed = "torch" if name.startswith("torch") else "jax" if name.endswith("jax") else "keras"
    return importlib.util.find_spec(needed) is not None


def step_of(name: str, shape: Shape) -> Step:
    """A function that trains one step (forward, backward, Adam) on each batch of a shape.

    Args:
        name: Name from `NAMES`.
        shape: Sizes of the model and its data.
    """
    return torch_step(shape, name == "torch-compile") if name.startswith("torch") else keras_step(name, shape)


def keras_step(name: str, shape: Shape) -> Step:
    """The training step of a Keras model.

    Args:
        name: Name of an engine, for layers of seqtasks; else layers of Keras.
        shape: Sizes of the model and its data.
    """
    if name in OURS:  # as commands of seqtasks do, which also makes the C library keep freed memory
        from seqtasks.core import keras_import

        keras_import.import_keras()
    import keras
    from keras import ops

    x = inputs = keras.Input((None,) if shape.vocabulary else (None, shape.features), dtype=_dtype(shape))
    mask = ops.not_equal(inputs, 0) if shape.lengths else None
    looked_up: dict[str, Any] = {}
    if shape.vocabulary and name in OURS:
        from seqtasks.layers.embedding import Embedding

        embedding = Embedding(shape.vocabulary, shape.features)
        x, looked_up = embedding(inputs), {"tokens": inputs, "table": embedding(inputs, whole=True)}
    elif shape.vocabulary:
        x = keras.layers.Embedding(shape.vocabulary, shape.features)(x)
    for layer in range(shape.layers):
        sequences = shape.sequences or layer + 1 < shape.layers
        arguments = {"mask": mask, "return_sequences": sequences, **({} if layer else looked_up)}
        x = _ours(name, shape)(x, **arguments)[0] if name in OURS else _stock(shape, sequences)(x, mask=mask)
    model = keras.Model(inputs, keras.layers.Dense(shape.outputs)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if name in OURS:
        from seqtasks.engines.backend.fused_adam import Adam

        model.compile(Adam(), loss, jit_compile=name.endswith(("-jit", "-jax")))
    else:  # Keras's default: compile with XLA if the model supports it
        model.compile("adam", loss, jit_compile="auto")
    batches = [(x, y) for x, y, _ in shape.batches()]

    def step() -> None:
        for x, y in batches:
            model.train_on_batch(x, y)

    return step


def _dtype(shape: Shape) -> str:
    return "int32" if shape.vocabulary else "float32"


def _ours(engine: str, shape: Shape) -> Any:
    from seqtasks.core.config import EncoderConfig
    from seqtasks.layers import Encoder

    engine = engine.removesuffix("-jit").removesuffix("-jax")
    config = EncoderConfig(cell=shape.cell, units=shape.units, bidirectional=shape.bidirectional, engine=engine)  # type: ignore[arg-type]
    return Encoder(config)


def _stock(shape: Shape, sequences: bool) -> Any:
    import keras

    classes = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "simple_rnn": keras.layers.SimpleRNN}
    layer = classes[shape.cell](shape.units, return_sequences=sequences)
    return keras.layers.Bidirectional(layer) if shape.bidirectional else layer


def torch_step(shape: Shape, compiled: bool) -> Step:
    """The training step of a PyTorch model; ragged batches are packed sequences.

    Args:
        shape: Sizes of the model and its data.
        compiled: Compile the model by `torch.compile`.
    """
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(shape.vocabulary, shape.features) if shape.vocabulary else None
            cls = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "simple_rnn": torch.nn.RNN}[shape.cell]
            arguments = {"batch_first": True, "bidirectional": shape.bidirectional}
            self.recurrent = cls(shape.features, shape.units, shape.layers, **arguments)
            self.head = torch.nn.Linear(shape.units * (1 + shape.bidirectional), shape.outputs)

        def forward(self, x: Any, lengths: Any) -> Any:
            x = x if self.embedding is None else self.embedding(x)
            if lengths is not None:
                x = pack_padded_sequence(x, lengths, batch_first=True)
            out, states = self.recurrent(x)
            if not shape.sequences:
                last = states[0] if shape.cell == "lstm" else states
                out = torch.cat([last[-2], last[-1]], 1) if shape.bidirectional else last[-1]
            return self.head(out)

    model = Model()
    run = torch.compile(model) if compiled else model
    loss, optimizer = torch.nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters())
    batches = []
    for x, y, lengths in shape.batches():
        kept = None if lengths is None else torch.tensor(lengths)
        batches.append((torch.tensor(x), torch.tensor(y, dtype=torch.long), kept))

    def step() -> None:
        for x, y, lengths in batches:
            optimizer.zero_grad(set_to_none=True)
            loss(run(x, lengths).reshape(-1, shape.outputs), y.reshape(-1)).backward()
            optimizer.step()

    return step
