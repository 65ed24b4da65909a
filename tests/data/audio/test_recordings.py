"""Recordings by label and speaker: official splits, a left-out speaker, folders, errors."""

import numpy as np
import pytest
from scipy.io import wavfile

from seqtasks.core import plugins
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.audio import recordings
from seqtasks.data.cache import fingerprint
from seqtasks.data.source import Source

SYLLABLES = Source("builtin", "syllables")


def folder_of(path, labels=("up", "go_on"), speakers=("ann", "bob"), count=5, rate=8000):
    path.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for label in labels:
        for speaker in speakers:
            for n in range(count):
                wave = rng.normal(size=800 + 10 * n) * 0.1
                wavfile.write(path / f"{label}_{speaker}_{n}.wav", rate, wave.astype("float32"))
    return Source("files", str(path), path)


@pytest.fixture(scope="module")
def syllables():
    return recordings.load(SYLLABLES, 8000)


def names(recordings, rows):
    return {(recordings.labels[i], recordings.speakers[i], recordings.numbers[i]) for i in rows}


def test_the_built_in_syllables_are_the_same_every_time(syllables):
    assert len(syllables.labels) == 480 and len(syllables.classes) == 10 and len(set(syllables.speakers)) == 4
    assert recordings.load(SYLLABLES, 8000).fingerprint == syllables.fingerprint
    assert np.abs(syllables.waves.values).max() < 1
    assert set(syllables.labels[:60]) == set(syllables.classes)  # in random order


def test_every_label_and_speaker_is_in_every_split(syllables):
    parts = recordings.split(syllables)
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 400, "validation": 40, "test": 40}
    assert len(np.unique(np.concatenate(list(parts.values())))) == 480
    assert {n for *_, n in names(syllables, parts["test"])} == {0}
    assert {n for *_, n in names(syllables, parts["validation"])} == {1}


def test_held_out_speaker_is_in_the_test_split_only(syllables):
    parts = recordings.split(syllables, "cora")
    assert {who for _, who, _ in names(syllables, parts["test"])} == {"cora"} and len(parts["test"]) == 120
    for part in ("train", "validation"):
        assert {who for _, who, _ in names(syllables, parts[part])} == {"ada", "ben", "dan"}
    assert len(parts["validation"]) == 30 and len(parts["train"]) == 330
    with pytest.raises(ConfigError, match=r"options\.speaker=coru: .* has 4 speakers; did you mean cora\?"):
        recordings.split(syllables, "coru")


@pytest.mark.slow
def test_the_official_split_of_the_spoken_digits(tfds_dir):
    loaded = recordings.load(Source("tfds", "spoken_digit", tfds_dir), 8000)
    parts = recordings.split(loaded)
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 2000, "validation": 250, "test": 250}
    assert {n for *_, n in names(loaded, parts["test"])} == set(range(5))
    assert {n for *_, n in names(loaded, parts["validation"])} == set(range(5, 10))
    assert loaded.waves.lengths.max() == 18262 and np.abs(loaded.waves.values).max() <= 1
    assert len(recordings.split(loaded, "theo")["test"]) == 500


def test_a_folder_of_files(tmp_path):
    loaded = recordings.load(folder_of(tmp_path), 8000)
    assert loaded.classes == ["go_on", "up"] and set(loaded.speakers) == {"ann", "bob"} and len(loaded.labels) == 20
    again = recordings.load(folder_of(tmp_path), 16000)
    assert again.fingerprint != loaded.fingerprint and again.waves.lengths.sum() == 2 * loaded.waves.lengths.sum()
    parts = recordings.split(loaded)
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 12, "validation": 4, "test": 4}


def test_missing_files_of_a_folder_are_named(tmp_path):
    source = folder_of(tmp_path / "a", count=2)
    with pytest.raises(DataError, match="has 2 recordings of go_on by ann; three or more are needed"):
        recordings.split(recordings.load(source, 8000))
    with pytest.raises(DataError, match="has only the label up; allowed: two or more labels"):
        recordings.load(folder_of(tmp_path / "b", labels=("up",)), 8000)
    with pytest.raises(ConfigError, match="has 1 speakers; there is no other"):
        recordings.split(recordings.load(folder_of(tmp_path / "c", speakers=("ann",)), 8000), "ann")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match=r"has no WAV file; add files named label_speaker_number\.wav"):
        recordings.load(Source("files", "d", tmp_path / "d"), 8000)
    wavfile.write(tmp_path / "d" / "hello.WAV", 8000, np.ones(9, "int16"))
    with pytest.raises(DataError, match=r"hello\.WAV: the name has no label, speaker and number"):
        recordings.load(Source("files", "d", tmp_path / "d"), 8000)
    (tmp_path / "a" / "up_ann_9.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"up_ann_9\.wav cannot be read as WAV"):
        recordings.load(source, 8000)


def test_a_label_of_the_left_out_speaker_alone(tmp_path):
    folder_of(tmp_path)
    folder_of(tmp_path, labels=("only",), speakers=("bob",))
    loaded = recordings.load(Source("files", str(tmp_path), tmp_path), 8000)
    rows = recordings.split(loaded, "bob")
    labels = {part: {loaded.labels[i] for i in index} for part, index in rows.items()}
    assert "only" in labels["test"] and "only" not in labels["train"] and "only" in loaded.classes


def load_splits(source, **options):
    task = plugins.load_task("spoken_digits")
    return task(task.Options(**options)).load(source, 0)


def test_mapped_recordings_are_those_in_memory(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    source = folder_of(tmp_path / "data", rate=16000)
    whole, memory = recordings.load(source, 8000), load_splits(source)
    names = [f"{a}_{b}_{c}" for a, b, c in zip(whole.labels, whole.speakers, whole.numbers, strict=True)]
    arrays = {"waves": whole.waves.values, "ends": whole.waves.ends, "rate": np.array(8000)}
    arrays["names"] = np.frombuffer("\n".join(names).encode(), np.uint8)
    assert whole.fingerprint == fingerprint(arrays)  # as it was before recordings could be mapped
    monkeypatch.setattr(recordings, "LARGE", 0)
    for _ in range(2):
        caplog.clear()
        mapped, splits = recordings.load(source, 8000), load_splits(source)
        assert "20 of 16,000 Hz" in caplog.text and mapped.large and not whole.large
        np.testing.assert_array_equal(mapped.waves.values, whole.waves.values)
        assert splits.fingerprint == memory.fingerprint == mapped.fingerprint
        np.testing.assert_allclose(splits.spec.mean, memory.spec.mean, rtol=1e-12)
        np.testing.assert_allclose(splits.spec.sd, memory.spec.sd, rtol=1e-12)
        for part, examples in splits.parts.items():
            assert isinstance(examples.inputs["sound"].values, np.memmap)
            np.testing.assert_array_equal(
                examples.inputs["sound"].padded(), memory.parts[part].inputs["sound"].padded()
            )
            np.testing.assert_array_equal(examples.targets, memory.parts[part].targets)
        monkeypatch.setattr(recordings, "read_wav", lambda *_: pytest.fail("read again"))


def test_recordings_are_converted_again_when_a_file_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(recordings, "LARGE", 0)
    source = folder_of(tmp_path / "data")
    first = recordings.load(source, 8000)
    wavfile.write(tmp_path / "data" / "up_ann_0.wav", 8000, np.ones(900, "float32"))
    assert recordings.load(source, 8000).fingerprint != first.fingerprint
    (tmp_path / "data" / "up_ann_9.wav").write_bytes(b"RIFF")
    before = set((tmp_path / "cache").iterdir())
    with pytest.raises(DataError, match=r"up_ann_9\.wav cannot be read as WAV"):
        recordings.load(source, 8000)
    assert set((tmp_path / "cache").iterdir()) == before
