"""The training on training and validation examples after a run whose validation chooses nothing."""

import dataclasses
import signal
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from seqtasks.core.config import resolve
from seqtasks.core.errors import Interrupted
from seqtasks.core.plugins import load_task
from seqtasks.core.reporter import Reporter
from seqtasks.data.keras_adapter import UntunedDataAdapter
from seqtasks.data.series.segments import Segments
from seqtasks.data.series.sets import SeriesSet
from seqtasks.experiments import results, run_folder
from seqtasks.training import inference, resolution, train
from seqtasks.training.compiled_model import build
from seqtasks.training.optimizers import make_optimizer
from seqtasks.training.saved_model import open_trained
from seqtasks.training.signals import StopRequest

QUIET = Reporter(quiet=True)
COUNTS = {"train": 32, "validation": 8, "test": 20}
EPOCHS = 3
CLS = load_task("series")


def arrays(part: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(len(part))
    x = rng.normal(size=(COUNTS[part], 6, 2)).astype(np.float32)
    return x, (x[:, 2, 0] > 0).astype(int)


def config_of(folder: Path, *words: str):
    x, y = ({f"{name}_{part}": arrays(part)[i] for part in COUNTS} for i, name in enumerate("xy"))
    np.savez(folder / "a.npz", **x, **y)
    small = ["encoder.units=4", "encoder.layers=1", "encoder.dropout=0.2", f"train.epochs={EPOCHS}"]
    averaged = ["train.average=epochs", "train.last_epochs=2", "train.checkpoint_seconds=1e-9"]
    return resolve("series", CLS.Options, [f"data.source=files:{folder / 'a.npz'}", *small, *averaged, *words])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An undisturbed run: its configuration, folder and row."""
    folder = tmp_path_factory.mktemp("whole")
    config = config_of(folder, "train.batch_size=8")
    row, _ = train.run(config, CLS, folder, QUIET)
    return config, folder / row.run, row


def weights(folder: Path) -> list[np.ndarray]:
    return [np.asarray(weight) for weight in open_trained(run_folder.open_run(folder))[2].trainable_weights]


def test_the_model_is_that_of_a_training_by_hand_on_both_splits(whole):
    config, folder, row = whole
    resolved = resolution.resolve(config, CLS, QUIET)
    task, config = resolved.task, resolved.config
    x, y = (np.concatenate(both) for both in zip(arrays("train"), arrays("validation"), strict=True))
    series = SeriesSet(Segments.stack(list(x)), task.spec.channels)
    batches = task.batches(task.inputs.examples(series, y), config.train.batch_size, shuffle=True, seed=config.seed)
    model, _ = build(task, config)
    plain = dataclasses.replace(config.train, average="none")
    assert batches.batches_per_epoch == 5
    model.compile(make_optimizer(plain, 5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    ends, to_numpy = [], keras.ops.convert_to_numpy

    def begin(epoch, logs=None):
        if batches.epoch != epoch:  # with JAX and PyTorch, Keras looks into an epoch to build the model
            batches.seek(epoch, 0)

    def end(epoch, logs=None):
        ends.append([to_numpy(weight).copy() for weight in model.trainable_weights])

    by_hand = keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end)
    model.fit(UntunedDataAdapter(batches), epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[by_hand])
    for found, *last in zip(weights(folder), *ends[-2:], strict=True):
        np.testing.assert_allclose(found, np.mean(last, axis=0), rtol=0, atol=1e-6)
    assert row.refit_examples == 40 and row.epochs == EPOCHS


def test_the_row_has_the_validation_of_the_run_and_the_score_of_the_second_model(whole):
    _, folder, row = whole
    history = pd.read_csv(folder / "history.csv")
    assert list(history.epoch) == [1, 2, 3] and row.validation["loss"] == pytest.approx(history.val_loss[2])
    assert row.seconds > (history.seconds + history.validation_seconds).sum()  # both trainings
    again = {line["score"]: line["now"] for line in inference.evaluate(run_folder.open_run(folder), QUIET)}
    assert again == pytest.approx(row.scores)
    assert results.read(folder) == row and {path.name for path in folder.glob("*.npz")} == {"outputs.npz"}


def stop_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends Ctrl-C when training asks for the n-th time whether to stop."""
    calls = iter(range(1, 1000))

    def received(self):
        if next(calls) == number:
            signal.raise_signal(signal.SIGINT)
        return vars(self).get("pressed", False)

    asked = property(received, lambda self, value: vars(self).update(pressed=value))
    monkeypatch.setattr(StopRequest, "received", asked, raising=False)


@pytest.mark.slow
def test_stopped_in_either_training_it_goes_on_as_if_it_had_not(whole, tmp_path, capsys):
    config, folder, row = whole
    path, moments = tmp_path / row.run, []
    for number in (9, 12, 6, 5):
        with pytest.MonkeyPatch.context() as patch:
            stop_at(number, patch)
            with pytest.raises(Interrupted, match="and saved; continue with: seqtasks resume") as stopped:
                train.run(config, CLS, tmp_path, QUIET)
        moments.append(str(stopped.value).partition(";")[0])
        assert run_folder.open_run(path).status() == "interrupted"
    second = "of the training on training and validation examples and saved"
    assert moments[0] == "stopped in the validation of epoch 2 and saved"
    assert moments[1] == f"stopped in epoch 1 after step 4 {second}"
    assert moments[3] == f"stopped in epoch 3 after step 3 {second}"
    again, _ = train.run(config, CLS, tmp_path, Reporter())
    for found, expected in zip(weights(path), weights(folder), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert (again.scores, again.validation, again.refit_examples) == (row.scores, row.validation, 40)
    columns = ["epoch", "loss", "accuracy", "val_loss"]
    found, expected = (pd.read_csv(one / "history.csv")[columns] for one in (path, folder))
    assert found.equals(expected)
    assert not (path / "refit.npz").exists() and "training again, on the 40 time series" in capsys.readouterr().err
