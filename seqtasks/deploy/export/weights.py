"""Weights of a trained model as a safetensors file, with the names of the equations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqtasks.core.errors import ConfigError
from seqtasks.core.extras import require
from seqtasks.core.files import write_text
from seqtasks.deploy.export import manifest
from seqtasks.experiments.results import Row
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.recurrent import Recurrent
from seqtasks.task_types.base import Task

FORMAT = "safetensors"
FILE = "weights.safetensors"
IN_TORCH = ("lstm", "gru")  # cells that PyTorch has, with the same equations

TORCH = '''"""Loads the encoder into PyTorch, with torch and safetensors only: python use.py."""
from pathlib import Path
import torch
from safetensors.torch import load_file

def load(file, encoder):
    """The encoder as torch.nn.LSTM or torch.nn.GRU, which reads (batch, time, features)."""
    weights = {k.split(".", 1)[1]: v for k, v in load_file(file).items() if k.startswith(f"{encoder}.")}
    units = len(weights["0.forward.U"])
    gates, both = weights["0.forward.U"].shape[1] // units, "0.backward.U" in weights
    order, kind = ([0, 1, 2, 3], torch.nn.LSTM) if gates == 4 else ([1, 0, 2], torch.nn.GRU)  # PyTorch: r, z, n
    layers, state = 1 + max(int(name.split(".")[0]) for name in weights), {}
    for name, weight in weights.items():
        layer, direction, symbol = name.split(".")
        end = f"_l{layer}" + "_reverse" * (direction == "backward")
        weight = torch.cat([weight.chunk(gates, -1)[i] for i in order], -1)
        if symbol == "b":  # one bias, or those of input and state
            state[f"bias_ih{end}"], state[f"bias_hh{end}"] = weight if gates == 3 else (weight, weight * 0)
        else:
            state[{"W": "weight_ih", "U": "weight_hh"}[symbol] + end] = weight.T
    made = kind(len(weights["0.forward.W"]), units, layers, batch_first=True, bidirectional=both)
    made.load_state_dict(state)
    return made

if __name__ == "__main__":
    print(load(Path(__file__).parent / "weights.safetensors", "{encoder}"))
'''


def check(shape: str | None, quantize: str | None) -> None:
    """Checks the options of an export of weights.

    Raises:
        ConfigError: An option that weights do not have, or a missing package.
    """
    given = f"--{shape}" if shape else f"--quantize {quantize}" if quantize else None
    if given:
        raise ConfigError(
            f"{given} with --format safetensors, which has weights and no graph; allowed: onnx, litert, openvino, "
            f"saved_model; leave out {given.split()[0]}"
        )
    require(["safetensors"], "--format safetensors", "export")


def named_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights of a model by name.

    Weights of an encoder are named `ENCODER.LAYER.DIRECTION.SYMBOL`, where the symbol is that of the equations of the
    cell, such as W, U and b. All others have their path in Keras.

    Args:
        model: Built model.

    Example:
        >>> import keras
        >>> from seqtasks.layers import Encoder
        >>> x = keras.Input((None, 3))
        >>> model = keras.Model(x, Encoder(cell="lstm", units=2, name="encoder")(x)[0])
        >>> {name: array.shape for name, array in named_weights(model).items()}
        {'encoder.0.forward.W': (3, 8), 'encoder.0.forward.U': (2, 8), 'encoder.0.forward.b': (8,)}
    """
    names: dict[int, str] = {}
    for encoder in (layer for layer in model._flatten_layers() if isinstance(layer, Encoder)):
        for number, layer in enumerate(encoder.layers):
            for recurrent in layer:
                start = f"{encoder.name}.{number}.{recurrent.direction}"
                names |= {id(weight): f"{start}.{symbol}" for symbol, weight in _symbols(recurrent)}
    return {
        names.get(id(weight), weight.path.replace("/", ".")): np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
        for weight in model.weights
    }


def _symbols(recurrent: Recurrent) -> Iterator[tuple[str, Any]]:
    """The weights of a cell with their symbols, or with their names where an attribute has several weights."""
    attributes = {id(value): name for name, value in vars(recurrent.cell).items() if hasattr(value, "path")}
    for weight in recurrent.cell.weights:
        yield attributes.get(id(weight), weight.name), weight


def write(model: keras.Model, folder: Path, task: Task, row: Row, licence: str, digest: str) -> None:
    """Writes the weights, the manifest, and for cells that PyTorch has a `use.py` that loads them.

    Args:
        model: Trained model.
        folder: Folder to write to.
        task: The task.
        row: Result row of the run.
        licence: Licence of the data.
        digest: SHA-256 of the file of the model.
    """
    from safetensors.numpy import save_file

    arrays = named_weights(model)
    save_file(arrays, folder / FILE, metadata={"task": row.task, "run": row.run})
    encoders = [layer for layer in model._flatten_layers() if isinstance(layer, Encoder)]
    plain = [one for one in encoders if one.config.cell in IN_TORCH and one.config.skip == one.config.block == "none"]
    plain = [one for one in plain if not one.config.layer_norm and one.config.merge == "concat"]
    plain = [one for one in plain if len(set(one.config.widths)) == 1 and "activation" not in one.config.options]
    text = {"format": FORMAT, "file": FILE, "weights": {name: list(array.shape) for name, array in arrays.items()}}
    write_text(folder / "manifest.json", manifest.to_json(manifest.manifest(task, row, {}, text, licence, digest)))
    for name, content in manifest.text_facts(task)[1].items():
        write_text(folder / name, content)
    if plain:
        write_text(folder / "use.py", TORCH.replace("{encoder}", plain[0].name))
