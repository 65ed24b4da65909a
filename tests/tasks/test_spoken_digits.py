"""Spoken words: learning, WAV files of any rate and sample width, held-out speaker."""

import numpy as np
import pytest
from scipy.io import wavfile

from seqtasks.core import plugins
from seqtasks.core.config import resolve
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.core.reporter import Reporter
from seqtasks.data.audio.synthetic_speech import RATE, syllables
from seqtasks.experiments import run_folder
from seqtasks.testing import check_task
from seqtasks.training import train
from seqtasks.training.baselines import run_baselines

from ..helpers import predict

pytestmark = pytest.mark.pictures  # looked at in the run folders

QUIET = Reporter(quiet=True)
SMALL = ["encoder.units=24", "options.bands=20", "train.epochs=5", "train.learning_rate=0.01"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    cls = plugins.load_task("spoken_digits")
    config = resolve("spoken_digits", cls.Options, ["data.source=builtin", *SMALL])
    row, _ = train.run(config, cls, folder, QUIET)
    return folder / row.run, row, config


def write(folder, rate=RATE, kind="int16", words=("ai", "ia"), count=60):
    """Writes recordings of some words as WAV files."""
    folder.mkdir()
    selected = [recording for recording in syllables() if recording[0] in words][:count]
    for word, voice, number, wave in selected:
        wave = np.interp(np.arange(0, len(wave), RATE / rate), np.arange(len(wave)), wave)
        data = wave if kind == "float32" else wave * 32767
        wavfile.write(folder / f"{word}_{voice}_{number}.wav", rate, data.astype(kind))
    return folder


def test_order_of_sounds_is_learnt(trained):
    folder, row, _ = trained
    assert row.value > 0.85 and {"accuracy", "nll"} == set(row.scores)
    assert {path.name for path in (folder / "plots").iterdir()} >= {"confusion.png", "classes.csv"}


def test_the_baseline_is_a_row(trained):
    folder, row, config = trained
    (baseline,) = run_baselines(config, plugins.load_task("spoken_digits"), folder.parent, QUIET)
    assert 0.1 < baseline.value < 1 and set(baseline.scores) == set(row.scores)
    assert baseline.params == 10 * (2 * 20 + 1)


def test_recordings_of_any_sample_rate_are_read(trained, tmp_path, caplog):
    opened = run_folder.open_run(trained[0])
    answers = {}
    for rate, kind in ((8000, "int16"), (16000, "float32"), (44100, "int16")):
        folder = write(tmp_path / f"{rate}", rate, kind, count=12)
        rows = predict(opened, [str(path) for path in sorted(folder.iterdir())])
        answers[rate] = [row["answer"] for row in rows]
        for row in rows:
            assert sum(p for name, p in row.items() if name.startswith("P(")) == pytest.approx(1, abs=1e-2)
    assert "resampled to 8,000 Hz" in caplog.text
    true = ["ai"] * 6 + ["ia"] * 6
    for rate in answers:
        assert np.mean(np.array(answers[rate]) == true) > 0.7
    assert np.mean(np.array(answers[16000]) == answers[8000]) > 0.9


def test_silence_and_very_short_and_long_sounds_get_an_answer(trained, tmp_path):
    rng = np.random.default_rng(0)
    for name, wave in (("silent", np.zeros(800)), ("click", np.ones(1)), ("minute", rng.normal(size=60 * RATE) / 10)):
        wavfile.write(tmp_path / f"{name}.wav", RATE, wave.astype("float32"))
    rows = predict(run_folder.open_run(trained[0]), [str(path) for path in sorted(tmp_path.iterdir())])
    assert len(rows) == 3 and all(np.isfinite(row["P(ai)"]) for row in rows)


def test_missing_recordings_are_errors(trained, tmp_path):
    opened = run_folder.open_run(trained[0])
    with pytest.raises(ConfigError, match=r"no recording given; .*, as in seqtasks predict RUN seven\.wav"):
        predict(opened, [])
    with pytest.raises(DataError, match=r"nothing\.wav does not exist; give a WAV file"):
        predict(opened, [str(tmp_path / "nothing.wav")])


def test_a_folder_with_any_labels_and_every_option(tmp_path):
    folder = write(tmp_path / "data")
    row = check_task(
        plugins.load_task("spoken_digits"),
        tmp_path / "runs",
        [
            f"data.source=files:{folder}",
            "options.features=mfcc",
            "options.pooling=attention",
            "options.join=3",
            "options.noise=0.1",
            "options.speaker=ben",
            "train.epochs=2",
        ],
        inputs=[str(folder / "ai_ada_0.wav")],
    )
    assert row.source == f"files:{folder}"


def test_a_broken_file_of_a_folder_is_named_before_anything_is_made(tmp_path):
    folder = write(tmp_path / "data", count=12)
    (folder / "ai_ada_99.wav").write_bytes(b"RIFF....")
    cls = plugins.load_task("spoken_digits")
    with pytest.raises(DataError, match=r"ai_ada_99\.wav cannot be read as WAV: .*; give PCM or float WAV"):
        train.run(resolve("spoken_digits", cls.Options, [f"data.source=files:{folder}"]), cls, tmp_path / "runs", QUIET)
    assert not (tmp_path / "runs").exists()
