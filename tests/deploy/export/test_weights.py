"""Weights in safetensors files, and the snippet that loads them into PyTorch."""

import keras
import numpy as np
import pytest

from seqtasks.deploy.export import weights
from seqtasks.layers import Encoder


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_pytorch_gives_the_same_outputs(tmp_path, cell, bidirectional):
    torch = pytest.importorskip("torch")
    numpy = pytest.importorskip("safetensors.numpy")
    x = keras.Input((None, 3))
    encoder = Encoder(cell=cell, units=5, layers=2, bidirectional=bidirectional, name="encoder")
    model = keras.Model(x, encoder(x)[0])
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    numpy.save_file(weights.named_weights(model), tmp_path / "weights.safetensors")
    snippet = {"__name__": "use"}
    exec(weights.TORCH.replace("{encoder}", "encoder"), snippet)
    loaded = snippet["load"](tmp_path / "weights.safetensors", "encoder")
    inputs = rng.normal(size=(2, 7, 3)).astype("float32")
    with torch.no_grad():
        outputs = loaded(torch.from_numpy(inputs))[0].numpy()
    np.testing.assert_allclose(outputs, model.predict(inputs, verbose=0), atol=1e-5)


def test_names_are_those_of_the_equations():
    x = keras.Input((None, 3))
    model = keras.Model(x, keras.layers.Dense(2, name="logits")(Encoder(cell="mgu", units=4, name="encoder")(x)[0]))
    shapes = {name: array.shape for name, array in weights.named_weights(model).items()}
    assert shapes["encoder.0.forward.W"] == (3, 8) and shapes["logits.kernel"] == (4, 2)
