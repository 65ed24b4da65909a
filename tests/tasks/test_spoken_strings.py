"""Strings of spoken words: learning, decoding, resuming; too few steps for CTC are errors."""

import numpy as np
import pytest
from scipy.io import wavfile

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError, Interrupted
from seqtasks.core.reporter import Reporter
from seqtasks.data.audio import recordings
from seqtasks.data.audio.digit_strings import Composer
from seqtasks.data.source import Source
from seqtasks.decoding import ctc
from seqtasks.experiments import run_folder
from seqtasks.task_types.speech_recognition.task import labels_of
from seqtasks.testing import check_task
from seqtasks.training import fit, inference, resolution, train
from seqtasks.training.baselines import run_baselines

from ..helpers import predict

pytestmark = pytest.mark.pictures  # looked at in the run folders

QUIET = Reporter(quiet=True)
SMALL = ["data.source=builtin", "encoder.units=24", "encoder.dropout=0", "options.bands=20", "options.max_length=2",
         "options.tests=40", "options.time_masks=0", "options.band_masks=0", "train.learning_rate=0.01",
         "train.batch_size=16", "options.gap=0.1"]  # fmt: skip


def configured(*words):
    cls = plugins.load_task("spoken_strings")
    return cls, resolve("spoken_strings", cls.Options, [*SMALL, *words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strings")
    cls, config = configured("options.strings=320", "train.epochs=6")
    row, _ = train.run(config, cls, folder, QUIET)
    return folder / row.run, row, config


@pytest.mark.slow
def test_strings_are_learnt_without_an_alignment(trained):
    folder, row, _ = trained
    assert row.metric == "der" and not row.higher_is_better and row.value < 0.5
    assert set(row.scores) == {"der", "der_greedy", "exact", "exact_greedy", "nll"}
    assert row.validation["der"] < 0.5
    assert {path.name for path in (folder / "plots").iterdir()} >= {"mistakes.png", "lengths.csv", "posteriors.png"}


def test_the_baseline_is_a_row(trained):
    folder, _, config = trained
    (baseline,) = run_baselines(config, plugins.load_task("spoken_strings"), folder.parent, QUIET)
    assert 0 < baseline.value < 1.5 and 0 <= baseline.scores["exact"] < 1


def test_recordings_are_recognized(trained, tmp_path):
    words = recordings.load(Source("builtin", "syllables"), 8000)
    composer = Composer(words, recordings.split(words)["test"], 2, 0.1, False)
    recipes = [composer.recipe(9, n) for n in range(20)]
    for n, recipe in enumerate(recipes):
        wavfile.write(tmp_path / f"{n:02d}.wav", 8000, composer.sound(recipe))
    paths = [str(path) for path in sorted(tmp_path.iterdir())]
    opened = run_folder.open_run(trained[0])
    answers = [row["answer"].split() for row in predict(opened, paths)]
    true = [[words.labels[i] for i in recipe.recordings] for recipe in recipes]
    numbers = {name: n for n, name in enumerate(words.classes)}
    assert ctc.error_rate(*([[numbers[w] for w in row] for row in rows] for rows in (true, answers))) < 0.6
    rows_with_lm = predict(opened, [*paths[:3], "--num-beams", "2", "--lm-weight", "0.5"])
    assert len(rows_with_lm) == 3 and all(np.isfinite(row["score"]) for row in rows_with_lm)
    with pytest.raises(ConfigError, match="no recording given"):
        predict(opened, [])
    with pytest.raises(ConfigError, match="beams is 0; allowed: ≥ 1"):
        predict(opened, [paths[0], "--num-beams", "0"])


def test_every_option_keeps_the_contract(tmp_path):
    words = ["options.pyramid=1", "options.join=1", "options.voices=mixed", "options.lm_weight=0.5",
             "options.lm_order=3", "options.features=mfcc", "options.speaker=dan", "options.num_beams=2",
             "options.noise=0.1"]  # fmt: skip
    small = [*SMALL, "encoder.units=8", "options.strings=24", "train.epochs=1"]
    row = check_task(plugins.load_task("spoken_strings"), tmp_path, [*small, *words])
    assert np.isfinite(row.value)


def test_time_reduction_below_the_number_of_labels_is_refused(tmp_path):
    cls, config = configured("options.pyramid=3", "options.join=3")
    with pytest.raises(
        ConfigError, match=r"options\.join=3 and options\.pyramid=3 leave \d steps for .* CTC needs \d, .* set options"
    ):
        train.run(config, cls, tmp_path, QUIET)
    assert not list(tmp_path.iterdir())


def test_validation_and_test_strings_are_those_of_every_seed():
    parts = []
    for seed in (0, 1):
        cls, config = configured(f"seed={seed}")
        splits = resolution.load(cls(config.options), config, QUIET)
        parts.append((splits.fingerprint, labels_of(splits.test), labels_of(splits.validation)))
    assert parts[0] == parts[1] and parts[0][1] != parts[0][2]


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path):
    words = ["options.strings=48", "train.epochs=2", "encoder.units=8"]
    cls, config = configured(*words)
    whole, _ = train.run(config, cls, tmp_path / "whole", QUIET)

    class Stop:  # Ctrl-C in the second epoch
        def __init__(self):
            self.count = 0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        @property
        def received(self):
            self.count += 1
            return self.count == 6

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "StopRequest", Stop)
        with pytest.raises(Interrupted, match="stopped in epoch 2 after step 2"):
            train.run(config, cls, tmp_path / "killed", QUIET)
    (folder,) = (tmp_path / "killed").iterdir()
    row, _ = inference.resume(run_folder.open_run(folder), QUIET)
    assert row.scores == whole.scores
