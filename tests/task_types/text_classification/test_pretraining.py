"""A classifier begins with the embedding and the encoder of a language model of its texts."""

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

QUIET = Reporter(quiet=True)
SMALL = ["data.source=builtin", "encoder.units=8", "encoder.bidirectional=false", "options.embedding_dim=8",
         "options.pretrain_epochs=1", "train.epochs=1", "options.adversarial=0"]  # fmt: skip


def configured(*more):
    return resolve("sentiment", plugins.load_task("sentiment").Options, [*SMALL, *more])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained")
    row, _ = train.run(configured("options.pretrain=lm"), plugins.load_task("sentiment"), folder, QUIET)
    (language,) = folder.glob("text_lm-*")
    return folder, row, run_folder.open_run(language)


def test_the_language_model_is_a_run_of_its_own(trained):
    folder, row, language = trained
    found = results.read(language.path)
    assert language.finished and found.task == "text_lm" and found.epochs == 1
    assert found.scores["perplexity"] < 60  # of 54 words that come in a fixed order
    assert row.seconds > found.seconds  # the time of both
    assert pretraining.language_config("text_lm", configured("options.pretrain=lm", "seed=3")).seed == 3
    # Another classifier of the same texts does not train it again.
    before = (language.path / "model.keras").stat().st_mtime_ns
    train.run(configured("options.pretrain=lm", "options.dropout=0.1"), plugins.load_task("sentiment"), folder, QUIET)
    assert (language.path / "model.keras").stat().st_mtime_ns == before


@pytest.mark.parametrize("bidirectional", ["false", "true"])
def test_its_weights_are_taken_over(trained, bidirectional):
    _, _, language = trained
    config = configured("options.pretrain=lm", f"encoder.bidirectional={bidirectional}")
    assert not pretraining.language_config("text_lm", config).encoder.bidirectional
    task = plugins.load_task("sentiment")(config.options)
    resolution.load(task, config, QUIET)
    model, _ = train.build(task, config)
    fresh = numpy(model.get_layer("embedding").embeddings)
    task.init_weights(model, prerequisite.load(task, language))
    given = saved_model.open_trained(language)[2]
    rows = numpy(model.get_layer("embedding").embeddings)
    np.testing.assert_array_equal(rows[0], fresh[0])  # of padding, which a language model has not
    np.testing.assert_array_equal(rows[1:], numpy(given.get_layer("embedding").embeddings))
    mine, its = (m.get_layer("encoder").recurrents for m in (model, given))
    for name in ("W", "U"):
        np.testing.assert_array_equal(*(numpy(getattr(one[0].cell, name)) for one in (mine, its)))
    if bidirectional == "true":
        assert not np.array_equal(numpy(mine[1].cell.U), numpy(its[0].cell.U))
    # So the same words give the same outputs, beside the padding of a longer text.
    words = np.array([[5, 3, 9]])
    x = given.get_layer("embedding")(words)
    expected, _ = given.get_layer("encoder")(x, initial_state=given.get_layer("encoder").initial_state(1))
    padded = np.array([[6, 4, 10, 0, 0]])
    found, _ = model.get_layer("encoder")(model.get_layer("embedding")(padded), mask=padded > 0)
    np.testing.assert_allclose(np.array(found)[:, :3, :8], np.array(expected), atol=1e-6)


def test_both_directions_begin_with_those_of_a_language_model(tmp_path):
    config = configured("options.pretrain=lm", "encoder.bidirectional=true", "encoder.cell=gru", "data.limit=40")
    row, _ = train.run(config, plugins.load_task("sentiment"), tmp_path, QUIET)
    assert 0 <= row.value <= 1
    (path,) = tmp_path.glob("text_lm-*")
    given = saved_model.open_trained(run_folder.open_run(path))[2]
    task = plugins.load_task("sentiment")(config.options)
    resolution.load(task, config, QUIET)
    model, _ = train.build(task, config)
    task.init_weights(model, prerequisite.load(task, run_folder.open_run(path)))
    halves = [given.get_layer(name).recurrents[0] for name in ("encoder", "backward")]
    for mine, its in zip(model.get_layer("encoder").recurrents, halves, strict=True):
        assert len(mine.get_weights()) == len(its.trainable_weights) > 2
        for a, b in zip(mine.trainable_weights, its.trainable_weights, strict=True):
            np.testing.assert_array_equal(numpy(a), numpy(b))
    # One direction takes what it has use for.
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
            "2 bidirectional layers: the",
        ),
        (["options.pretrain=lm", "options.vectors=x.txt"], ConfigError, "both options.pretrain and options.vectors"),
        (["options.pretrain=nothing"], RunError, "there is no run 'nothing'"),
        (["encoder.units=9", "options.pretrain=RUN"], ConfigError, "the encoder has weights of"),
        (["options.vocab_size=20", "options.pretrain=RUN"], ConfigError, "knows other words"),
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
    model, _ = train.build(task, config)
    task.init_weights(model, None)
    number = task.words.number("film") + 1
    np.testing.assert_array_equal(numpy(model.get_layer("embedding").embeddings)[number], range(1, 9))
