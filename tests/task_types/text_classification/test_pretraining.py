"""Pretraining: a classifier starts from the embedding and the encoder of a language model of its texts."""

from pathlib import Path

import numpy as np
import pytest
from keras.ops import convert_to_numpy as numpy

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError, Interrupted, RunError
from seqtasks.core.reporter import Reporter
from seqtasks.experiments import results, run_folder
from seqtasks.task_types.text_classification import pretraining
from seqtasks.training import inference, prerequisite, resolution, saved_model, train
from seqtasks.training.compiled_model import build

QUIET = Reporter(quiet=True)
SMALL = ["data.source=builtin", "encoder.units=8", "encoder.bidirectional=false", "options.embedding_dim=8",
         "options.pretrain_epochs=1", "train.epochs=1", "options.adversarial=0"]  # fmt: skip


def configured(*overrides):
    return resolve("sentiment", plugins.load_task("sentiment").Options, [*SMALL, *overrides])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained")
    row, _ = train.run(configured("options.pretrain=lm"), plugins.load_task("sentiment"), folder, QUIET)
    (language,) = folder.glob("text_lm-*")
    return folder, row, run_folder.open_run(language)


@pytest.mark.slow
def test_the_language_model_is_a_separate_run(trained):
    folder, row, language = trained
    language_row = results.read(language.path)
    assert language.finished and language_row.task == "text_lm" and language_row.epochs == 1
    assert language_row.scores["perplexity"] < 60  # the texts have 54 words in a fixed order
    assert row.seconds > language_row.seconds  # the time of both
    assert pretraining.language_config("text_lm", configured("options.pretrain=lm", "seed=3")).seed == 3
    # Another classifier of the same texts does not train it again.
    before = (language.path / "model.keras").stat().st_mtime_ns
    train.run(configured("options.pretrain=lm", "options.dropout=0.1"), plugins.load_task("sentiment"), folder, QUIET)
    assert (language.path / "model.keras").stat().st_mtime_ns == before


@pytest.mark.parametrize("bidirectional", ["false", "true"])
def test_the_weights_of_the_language_model_are_copied(trained, bidirectional):
    _, _, language = trained
    config = configured("options.pretrain=lm", f"encoder.bidirectional={bidirectional}")
    assert not pretraining.language_config("text_lm", config).encoder.bidirectional
    task = plugins.load_task("sentiment")(config.options)
    resolution.load(task, config, QUIET)
    model, _ = build(task, config)
    fresh = numpy(model.get_layer("embedding").embeddings)
    task.init_weights(model, prerequisite.load(task, language))
    language_model = saved_model.open_trained(language)[2]
    rows = numpy(model.get_layer("embedding").embeddings)
    np.testing.assert_array_equal(rows[0], fresh[0])  # padding, which a language model does not have
    np.testing.assert_array_equal(rows[1:], numpy(language_model.get_layer("embedding").embeddings))
    targets, sources = (m.get_layer("encoder").recurrents for m in (model, language_model))
    for name in ("W", "U"):
        np.testing.assert_array_equal(*(numpy(getattr(layers[0].cell, name)) for layers in (targets, sources)))
    if bidirectional == "true":
        assert not np.array_equal(numpy(targets[1].cell.U), numpy(sources[0].cell.U))
    # The same words then have the same outputs, also in a padded batch.
    words = np.array([[5, 3, 9]])
    x = language_model.get_layer("embedding")(words)
    expected, _ = language_model.get_layer("encoder")(
        x, initial_state=language_model.get_layer("encoder").initial_state(1)
    )
    padded = np.array([[6, 4, 10, 0, 0]])
    outputs, _ = model.get_layer("encoder")(model.get_layer("embedding")(padded), mask=padded > 0)
    np.testing.assert_allclose(np.array(outputs)[:, :3, :8], np.array(expected), atol=1e-6)


@pytest.mark.slow
def test_both_directions_start_from_those_of_a_language_model(tmp_path):
    config = configured("options.pretrain=lm", "encoder.bidirectional=true", "encoder.cell=gru", "data.limit=40")
    row, _ = train.run(config, plugins.load_task("sentiment"), tmp_path, QUIET)
    assert 0 <= row.value <= 1
    (path,) = tmp_path.glob("text_lm-*")
    language_model = saved_model.open_trained(run_folder.open_run(path))[2]
    task = plugins.load_task("sentiment")(config.options)
    resolution.load(task, config, QUIET)
    model, _ = build(task, config)
    task.init_weights(model, prerequisite.load(task, run_folder.open_run(path)))
    sources = [language_model.get_layer(name).recurrents[0] for name in ("encoder", "backward")]
    for target, source in zip(model.get_layer("encoder").recurrents, sources, strict=True):
        assert len(target.get_weights()) == len(source.trainable_weights) > 2
        for a, b in zip(target.trainable_weights, source.trainable_weights, strict=True):
            np.testing.assert_array_equal(numpy(a), numpy(b))
    # A classifier with one direction starts from the forward encoder only.
    config = configured(f"options.pretrain={path}", "encoder.cell=gru", "data.limit=40")
    train.run(config, plugins.load_task("sentiment"), tmp_path, QUIET)


def test_a_run_can_be_named(trained):
    folder, _, language = trained
    row, _ = train.run(
        configured(f"options.pretrain={language.path.name}"), plugins.load_task("sentiment"), folder, QUIET
    )
    assert len(list(folder.glob("text_lm-*"))) == 1 and 0 <= row.value <= 1


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (
            ["options.pretrain=lm", "encoder.bidirectional=true", "encoder.layers=2"],
            ConfigError,
            "2 bidirectional layers; allowed: one",
        ),
        (
            ["options.pretrain=lm", "options.vectors=x.txt"],
            ConfigError,
            "both options.pretrain=lm and options.vectors=x.txt",
        ),
        (["options.pretrain=nothing"], RunError, "there is no run 'nothing'"),
        (["encoder.units=9", "options.pretrain=RUN"], ConfigError, "the encoder has weights of shapes .*; allowed: "),
        (["options.vocab_size=20", "options.pretrain=RUN"], ConfigError, "has another vocabulary; allowed"),
        (["options.pretrain=OWN"], RunError, "is a run of sentiment"),
    ],
)
def test_what_does_not_fit_is_refused(trained, words, error, message):
    folder, row, language = trained
    words = [w.replace("RUN", language.path.name).replace("OWN", row.run) for w in words]
    with pytest.raises(error, match=message):
        train.run(configured(*words), plugins.load_task("sentiment"), folder, QUIET)


def test_stopped_in_the_language_model(trained, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise Interrupted("stopped")

    monkeypatch.setattr(train, "fit", stop)
    config = configured("options.pretrain=lm")
    with pytest.raises(
        Interrupted, match=r"stopped during pretraining, a run of text_lm; continue with: seqtasks resume .*sentiment-"
    ):
        train.run(config, plugins.load_task("sentiment"), tmp_path, QUIET)
    monkeypatch.undo()
    (folder,) = tmp_path.glob("sentiment-*")
    assert run_folder.open_run(folder).status() == "interrupted"
    row, _ = inference.resume(run_folder.open_run(folder), QUIET)
    assert row.value == pytest.approx(trained[1].value)  # as if nothing had happened


def test_begins_with_vectors_of_a_file(tmp_path):
    Path(tmp_path / "v.txt").write_text("film 1 2 3 4 5 6 7 8\n", encoding="utf-8")
    config = configured(f"options.vectors={tmp_path / 'v.txt'}")
    task = plugins.load_task("sentiment")(config.options)
    resolution.load(task, config, QUIET)
    model, _ = build(task, config)
    task.init_weights(model, None)
    number = task.words.number("film") + 1
    np.testing.assert_array_equal(numpy(model.get_layer("embedding").embeddings)[number], range(1, 9))
