"""Training: what is refused, what is stored, which weights are kept, and failures that leave nothing half-done."""

from __future__ import annotations

import functools
import resource
import signal
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError, Interrupted, RunError, TrainingDiverged
from seqtasks.core.plugins import load_task
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import results, run_folder
from seqtasks.training import resolution, train
from seqtasks.training.compiled_model import build
from seqtasks.training.signals import StopRequest

QUIET = Reporter(quiet=True)
SMALL = ["data.source=builtin", "data.limit=300", "encoder.units=8", "train.epochs=3", "train.batch_size=16",
         "options.augment=false"]  # fmt: skip
RANDOM = "options.augment=true"  # images drawn at random in the training step


def go(folder: Path, *overrides: str, force: bool = False) -> results.Row:
    task = load_task("mnist_rows")
    given = {text.partition("=")[0] for text in overrides}
    small = [text for text in SMALL if text.partition("=")[0] not in given]
    return train.run(resolve("mnist_rows", task.Options, [*small, *overrides]), task, folder, QUIET, force)[0]


def test_same_seed_same_numbers_other_seed_others(tmp_path: Path) -> None:
    first = go(tmp_path / "a", RANDOM)
    assert go(tmp_path / "b", RANDOM).scores == first.scores
    assert go(tmp_path / "c", RANDOM, "seed=1").scores != first.scores


def test_a_batch_in_parts_makes_the_same_run(tmp_path: Path) -> None:
    words = ["encoder.dropout=0", "train.batch_size=7"]
    whole, parts = (go(tmp_path / name, *words, f"train.accumulate={name}") for name in ("1", "3"))
    assert parts.run == whole.run and parts.config["train"]["accumulate"] == 3
    histories = [pd.read_csv(tmp_path / name / whole.run / "history.csv") for name in ("1", "3")]
    for column in ("loss", "accuracy", "val_loss"):
        np.testing.assert_allclose(histories[1][column], histories[0][column], rtol=1e-4)


def test_what_cannot_be_divided_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cut a batch of 16 examples into 17 parts; allowed: one example or more"):
        go(tmp_path, "train.accumulate=17")
    with pytest.raises(ConfigError, match=r"with train.jit=true under TensorFlow.*train.accumulate=1"):
        go(tmp_path, "train.accumulate=2", "train.jit=true")


@pytest.mark.pictures
def test_the_folder_holds_what_the_documentation_says(tmp_path: Path) -> None:
    row = go(tmp_path)
    folder = tmp_path / row.run
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    expected = {"run.json", "config.yaml", "status.json", "history.csv", "model.keras", "plots", "result.json"}
    assert names == expected | {"outputs.npz"}
    for picture in ("learning_curves.png", "confusion.png"):
        assert (folder / "plots" / picture).stat().st_size > 5000
    history = pd.read_csv(folder / "history.csv")
    assert list(history.epoch) == [1, 2, 3]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"} <= set(history.columns)
    assert row.epochs == 3
    assert row.params == row.encoder_params + 8 * 10 + 10
    assert row.encoder_params == 4 * 8 * (8 + 8 + 1)


@pytest.mark.pictures
def test_a_picture_that_fails_loses_no_result(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(load_task("mnist_rows")):  # type: ignore[misc]
        def plots(self, model, batches):
            (folder,) = tmp_path.iterdir()
            assert (folder / "result.json").is_file() and not (folder / "checkpoint.npz").exists()
            yield "table", pd.DataFrame({"a": [1]})
            yield "nothing", object()
            yield "after", pd.DataFrame({"a": [2]})
            raise ValueError("no\npicture")

    def train_it() -> tuple[results.Row, bool]:
        config = resolve("mnist_rows", Broken.Options, [*SMALL, "train.epochs=1"])
        return train.run(config, Broken, tmp_path, QUIET)

    row, before = train_it()
    folder = run_folder.open_run(tmp_path / row.run)
    assert not before and folder.finished and folder.status() == "finished"
    names = {path.name for path in (folder.path / "plots").iterdir()}
    assert names == {"learning_curves.png", "table.csv", "after.csv", "errors.txt"}
    assert "cannot draw nothing ('object'" in caplog.text and "cannot draw a plot (no picture)" in caplog.text
    assert "ValueError: no\npicture" in (folder.path / "plots" / "errors.txt").read_text()
    assert train_it() == (row, True)


def test_the_weights_of_the_best_epoch_are_kept(tmp_path: Path) -> None:
    wild = ("train.learning_rate=0.3", "train.schedule=constant", "train.epochs=5")
    for seed in range(6):  # until the last epoch is not the best one
        row = go(tmp_path, *wild, f"seed={seed}")
        history = pd.read_csv(tmp_path / row.run / "history.csv")
        best = history.val_accuracy.max()
        assert row.validation["accuracy"] == pytest.approx(best)
        if history.val_accuracy.iloc[-1] < best:
            break
    else:
        pytest.fail("the last epoch was always the best")
    task = load_task("mnist_rows")()
    splits = resolution.load(task, resolve("mnist_rows", type(task).Options, SMALL), QUIET)
    model = keras.models.load_model(tmp_path / row.run / "model.keras")
    assert task.score(model, task.batches(splits.validation, 100))["accuracy"] == pytest.approx(best)
    assert task.score(model, task.batches(splits.test, 7)) == pytest.approx(row.scores, rel=1e-5)


def test_early_stopping_stops_and_is_not_trained_on(tmp_path: Path) -> None:
    row = go(tmp_path, "train.learning_rate=1e-9", "train.epochs=30", "train.early_stopping=2")
    assert row.epochs < 30


@pytest.mark.a_third
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_optimizer_learns(tmp_path: Path, optimizer: str) -> None:
    rate = {"sgd": "0.1"}.get(optimizer, "0.01")
    row = go(tmp_path, f"train.optimizer={optimizer}", f"train.learning_rate={rate}", "train.weight_decay=1e-4")
    history = pd.read_csv(tmp_path / row.run / "history.csv")
    assert history.loss.iloc[-1] < history.loss.iloc[0]


@pytest.mark.a_third
@pytest.mark.parametrize("schedule", ["constant", "cosine", "plateau", "exponential"])
def test_every_schedule_runs(tmp_path: Path, schedule: str) -> None:
    assert go(tmp_path, f"train.schedule={schedule}", "train.epochs=2", "train.warmup_epochs=0.5").epochs == 2


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(tmp_path: Path, precision: str) -> None:
    try:
        row = go(tmp_path, f"train.precision={precision}", "train.epochs=1")
        model = keras.models.load_model(tmp_path / row.run / "model.keras")
        assert all(w.dtype == "float32" for w in model.trainable_weights)
    finally:
        keras.config.set_dtype_policy("float32")


def test_jit_gives_the_same_numbers(tmp_path: Path) -> None:
    # XLA draws other random numbers.
    still = ("encoder.cell=simple_rnn", "encoder.dropout=0", "options.augment=false", "train.epochs=1")
    plain = go(tmp_path, "encoder.engine=loop", *still)
    jitted = go(tmp_path, "train.jit=true", *still)
    assert jitted.engine == "loop"
    assert jitted.scores["nll"] == pytest.approx(plain.scores["nll"], rel=1e-3)


def test_several_steps_in_one_call_give_the_same_numbers(tmp_path: Path) -> None:
    one = go(tmp_path, RANDOM, "train.steps_per_execution=1")
    for count in (4, 1000):  # neither divides the steps of an epoch
        several = go(tmp_path / str(count), RANDOM, f"train.steps_per_execution={count}")
        assert several.scores == one.scores, count
        assert several.epochs == one.epochs


def test_averages_of_weights_take_one_step_at_a_time(tmp_path: Path) -> None:
    one = go(tmp_path / "one", "train.average=ema", "train.steps_per_execution=1")
    assert go(tmp_path / "four", "train.average=ema", "train.steps_per_execution=4").scores == one.scores


@pytest.mark.a_third
@pytest.mark.parametrize(
    ("call", "where"),
    [
        (4, "after epoch 1"),
        (7, "in epoch 2 after step 12"),
        (8, "in the validation of epoch 2"),
        (14, "after epoch 3"),
    ],
)
def test_a_run_stopped_after_several_steps_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, where: str
) -> None:
    whole = go(tmp_path / "whole", "train.steps_per_execution=4")  # four calls an epoch
    calls = iter(range(100))

    def received(self: StopRequest) -> bool:
        if next(calls) == call:
            signal.raise_signal(signal.SIGINT)  # Ctrl-C
        return vars(self).get("pressed", False)

    asked = property(received, lambda self, value: vars(self).update(pressed=value))
    with monkeypatch.context() as patch:
        patch.setattr(StopRequest, "received", asked, raising=False)
        with pytest.raises(Interrupted, match=f"stopped {where} and saved; continue with: seqtasks resume"):
            go(tmp_path / "broken", "train.steps_per_execution=4", "train.checkpoint_seconds=1e-9")
    (folder,) = (tmp_path / "broken").iterdir()
    assert run_folder.open_run(folder).status() == "interrupted"
    again = go(tmp_path / "broken", "train.steps_per_execution=4")
    assert (again.scores, again.epochs) == (whole.scores, whole.epochs)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("on_test_begin", marks=pytest.mark.slow),
        "on_test_batch_end",
        pytest.param("on_epoch_end", marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_in_a_validation_is_heard_at_once(tmp_path: Path, moment: str) -> None:
    settings = [
        *SMALL, "train.eval_batch_size=4", "train.average=ema", "train.schedule=plateau", "train.patience=1",
        "train.early_stopping=3", "train.epochs=4", RANDOM,
    ]  # fmt: skip
    pressed: list[str] = []

    class Press(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.epoch = 0
            for name in ("on_test_begin", "on_test_batch_end", "on_epoch_end"):
                setattr(self, name, functools.partial(self.hear, name))

        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.epoch = epoch

        def hear(self, name: str, *_: object, logs: object = None) -> None:
            if pressed:
                pressed.append(name)
            elif self.epoch == 1 and name == moment:
                pressed.append(name)
                signal.raise_signal(signal.SIGINT)

    class Pressing(load_task("mnist_rows")):  # type: ignore[misc]
        def callbacks(self, validation):
            return [*super().callbacks(validation), Press()]

    def train_it(folder: str, task: type) -> results.Row:
        return train.run(resolve("mnist_rows", task.Options, settings), task, tmp_path / folder, QUIET)[0]

    whole = train_it("whole", load_task("mnist_rows"))
    with pytest.raises(Interrupted, match=r"stopped in the validation of epoch 2 and saved; continue with: seqtasks"):
        train_it("broken", Pressing)
    assert pressed == [moment]  # nothing of the validation came after it
    (folder,) = (tmp_path / "broken").iterdir()
    assert run_folder.open_run(folder).status() == "interrupted" and not (folder / "result.json").exists()
    again = train_it("broken", load_task("mnist_rows"))
    assert (again.scores, again.validation, again.epochs) == (whole.scores, whole.validation, whole.epochs)
    histories = [pd.read_csv(next((tmp_path / name).glob("*/history.csv"))) for name in ("whole", "broken")]
    kept = [column for column in histories[0] if not column.endswith("seconds")]
    pd.testing.assert_frame_equal(histories[0][kept], histories[1][kept])
    models = [next((tmp_path / name).glob("*/model.keras")) for name in ("whole", "broken")]
    for a, b in zip(*(keras.models.load_model(path).get_weights() for path in models), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.pictures
def test_ctrl_c_after_training_says_what_is_stored(tmp_path: Path) -> None:
    base = load_task("mnist_rows")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    settings = [*SMALL, "train.epochs=1"]
    config = resolve("mnist_rows", base.Options, settings)
    scoring, drawing = type("Scoring", (base,), {"score": stop}), type("Drawing", (base,), {"plots": stop})
    with pytest.raises(Interrupted, match="stopped before the result; continue with: seqtasks resume"):
        train.run(config, scoring, tmp_path, QUIET)
    (folder,) = tmp_path.iterdir()
    assert run_folder.open_run(folder).status() == "interrupted" and results.rows(tmp_path) == []
    with pytest.raises(Interrupted, match=r"stopped while drawing plots; the result is stored: .*result\.json"):
        train.run(config, drawing, tmp_path, QUIET)
    row, before = train.run(config, base, tmp_path, QUIET)
    assert before and [row] == results.rows(tmp_path)


def test_pixels_and_permutation_change_the_sequence(tmp_path: Path) -> None:
    task = load_task("mnist_rows")
    for option, shape in (("pixels", (64, 1)), ("permute", (8, 8))):
        config = resolve("mnist_rows", task.Options, [*SMALL, f"options.{option}=true"])
        made = task(config.options)
        splits = resolution.load(made, config, QUIET)
        model, encoder = build(made, config)
        image = splits.test.inputs["image"][:3]
        before = keras.Model(model.inputs, encoder.input[0] if isinstance(encoder.input, list) else encoder.input)
        seen = np.asarray(before(image))
        assert seen.shape == (3, *shape)
        rows = image.reshape(3, *shape) / 255
        if option == "permute":
            assert not np.allclose(seen, rows)
            np.testing.assert_allclose(np.sort(seen, axis=1), np.sort(rows, axis=1), atol=1e-6)
        else:
            np.testing.assert_allclose(seen, rows, atol=1e-6)


def test_a_loss_that_is_not_a_number_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match=r"step \d+ of epoch 1.*try\s+train.learning_rate"):
        go(tmp_path, "train.learning_rate=1e30", "train.clip_norm=null", "encoder.cell=simple_rnn",
           "encoder.options.activation=relu")  # fmt: skip
    (folder,) = tmp_path.iterdir()
    assert not (folder / "result.json").exists()
    assert not (folder / "checkpoint.npz").exists()
    assert run_folder.open_run(folder).status().startswith("diverged")
    assert results.rows(tmp_path) == []


def test_a_full_disk_is_one_line_and_can_be_continued(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, hard))  # a write beyond fails as on a full disk
    try:
        with pytest.raises(RunError, match=r"cannot write to .*free space.*continues"):
            go(tmp_path, "encoder.units=32")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (folder,) = tmp_path.iterdir()
    assert not (folder / "result.json").exists()
    assert not [path for path in folder.iterdir() if path.suffix == ".npz"]
    assert go(tmp_path, "encoder.units=32").epochs == 3


def test_a_damaged_checkpoint_is_named_and_force_starts_afresh(tmp_path: Path) -> None:
    row = go(tmp_path)
    folder = tmp_path / row.run
    (folder / "result.json").unlink()
    (folder / "checkpoint.npz").write_bytes(b"PK\x03\x04 not a checkpoint")
    with pytest.raises(RunError, match=r"checkpoint.npz.*--force"):
        go(tmp_path)
    assert go(tmp_path, force=True).scores == row.scores


def test_a_causal_task_refuses_a_bidirectional_encoder() -> None:
    task = load_task("mnist_rows")
    causal = type("Causal", (task,), {"causal": True})
    with pytest.raises(ConfigError, match="would read the targets"):
        train.check(resolve("mnist_rows", task.Options, ["encoder.bidirectional=true"]), causal)


def test_changed_data_makes_another_run(tmp_path: Path) -> None:
    assert go(tmp_path, "train.epochs=1").run != go(tmp_path, "train.epochs=1", "data.limit=200").run
