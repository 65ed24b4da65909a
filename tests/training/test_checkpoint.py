"""The place in the data, which is saved with a model; what is restored after a kill is tested in test_resume.py."""

import keras
import numpy as np
import pytest

from seqtasks.cells.registration import make_cell
from seqtasks.core.errors import RunError
from seqtasks.data.batches import ArrayBatches
from seqtasks.data.splits import Examples
from seqtasks.engines.backend.state_rows import KEPT
from seqtasks.experiments.run_folder import Run
from seqtasks.layers.recurrent import Recurrent
from seqtasks.training.checkpoint import Checkpoint


def test_an_epoch_that_keras_only_looked_into_does_not_count(tmp_path):
    batches = ArrayBatches(Examples({"x": np.arange(40)}, np.arange(40)), 8, shuffle=True)
    first = [batches[i][1].tolist() for i in range(5)]
    checkpoint = Checkpoint(tmp_path, batches, [], "val_loss", False, 30)
    batches.on_epoch_begin()  # as under JAX, before training
    batches.on_epoch_end()
    assert [batches[i][1].tolist() for i in range(5)] != first
    checkpoint.on_epoch_begin(0)
    assert [batches[i][1].tolist() for i in range(5)] == first
    checkpoint.epoch, checkpoint.step = 0, 2  # restored
    checkpoint.on_epoch_begin(0)
    assert [batches[i][1].tolist() for i in range(len(batches))] == first[2:]


def trained(folder, rows, units=2):
    """A compiled model that keeps states of so many rows, those states, and its checkpoint."""
    inputs = keras.Input((5, 3))
    outputs, _ = Recurrent(make_cell("simple_rnn", units), stateful=True, max_batch=rows)(inputs)
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    kept = [v for v in model.non_trainable_variables if v.path.endswith(KEPT)]
    for variable in kept:
        variable.assign(np.arange(rows * units).reshape(rows, units) + 1.0)
    batches = ArrayBatches(Examples({"x": np.zeros((8, 5, 3))}, np.zeros((8, 5, units))), 4)
    checkpoint = Checkpoint(Run(folder, {}), batches, [], "val_loss", False, 30)
    checkpoint.set_model(model)
    return checkpoint, model, kept


@pytest.mark.parametrize("rows", [2, 9])
def test_kept_states_fit_another_largest_batch(tmp_path, rows):
    checkpoint, _, kept = trained(tmp_path, 4)
    checkpoint.save()
    other, model, actual = trained(tmp_path, rows)
    assert other.restore(model) and len(actual) == len(kept) == 2
    for saved, restored in zip(kept, map(keras.ops.convert_to_numpy, actual), strict=True):
        np.testing.assert_array_equal(restored[: min(4, rows)], keras.ops.convert_to_numpy(saved)[: min(4, rows)])
        assert not restored[4:].any()


def test_other_variables_must_have_their_shape(tmp_path):
    trained(tmp_path, 4)[0].save()
    checkpoint, model, _ = trained(tmp_path, 4, units=3)
    with pytest.raises(RunError, match=r"belongs to another model; train from the beginning: seqtasks run .* --force"):
        checkpoint.restore(model)


@pytest.mark.parametrize("damage", ["none", "no JSON", "empty", "epoch", "trained", "file", "cut", "best"])
def test_what_is_damaged_is_one_line(tmp_path, damage):
    checkpoint, model, _ = trained(tmp_path, 4)
    checkpoint.save()
    path = tmp_path / "checkpoint.npz"
    with np.load(path) as file:
        saved = dict(file)
    meta = saved.pop("meta")
    texts = {"no JSON": "{", "empty": "{}", "epoch": str(meta).replace('"epoch": 0', '"epoch": "a"')}
    texts["trained"] = str(meta).replace('"trained": null', '"trained": [1]')
    if damage in texts:
        saved["meta"] = np.array(texts[damage])
    np.savez(path, **saved)
    if damage in ("file", "cut"):
        path.write_bytes(b"" if damage == "file" else path.read_bytes()[:200])
    if damage == "best":
        np.savez(tmp_path / "best.npz", a=np.zeros(3))
    restore = checkpoint.restore_best if damage == "best" else lambda: checkpoint.restore(model)
    with pytest.raises(RunError, match="train from the beginning: seqtasks run with the same settings and --force"):
        restore()
