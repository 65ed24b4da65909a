"""Loads recordings of single words by several speakers, and splits them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.errors import ConfigError, DataError, suggest
from seqtasks.core.files import utf8_name
from seqtasks.data import tfds
from seqtasks.data.audio import synthetic_speech
from seqtasks.data.audio.features import read_wav, tell_rates
from seqtasks.data.bucketing import Ragged
from seqtasks.data.cache import fingerprint
from seqtasks.data.source import Source

NAME = re.compile(r"(?P<label>.+)_(?P<speaker>[^_]+)_(?P<number>\d+)\.wav", re.IGNORECASE)
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Recordings:
    """Recordings of single words.

    Attributes:
        waves: Samples of all recordings, float32.
        labels: Word of each recording.
        speakers: Speaker of each recording.
        numbers: Number of each recording among those with its label and speaker.
        rate: Sampling rate in Hz.
        source: Data source.
        fingerprint: Fingerprint of samples, names and sampling rate.
    """

    waves: Ragged
    labels: list[str]
    speakers: list[str]
    numbers: list[int]
    rate: int
    source: Source
    fingerprint: str

    @property
    def classes(self) -> list[str]:
        """The labels, sorted."""
        return sorted(set(self.labels))


def load(source: Source, rate: int) -> Recordings:
    """Loads all recordings of a source, in a fixed random order, so that the first n are a random sample.

    Args:
        source: `spoken_digit` of tfds, a folder of files named `label_speaker_number.wav`, or the built-in
            syllables.
        rate: Sampling rate in Hz; recordings with another rate are resampled.

    Raises:
        DataError: Data is missing or damaged, a file has another name, or there are fewer than two labels.
    """
    if source.kind == "tfds":
        entries, file_rates = _prepared(source), [8000]
    elif source.kind == "builtin":
        entries, file_rates = synthetic_speech.syllables(), [synthetic_speech.RATE]
    else:
        assert source.folder is not None
        entries, file_rates = _folder(source.folder, rate)
    if source.kind != "files" and file_rates[0] != rate:
        from scipy.signal import resample_poly

        entries = [(*names, resample_poly(wave, rate, file_rates[0]).astype(np.float32)) for *names, wave in entries]
    tell_rates(file_rates, rate)
    entries.sort(key=lambda recording: recording[:3])
    entries = [entries[i] for i in np.random.default_rng(0).permutation(len(entries))]
    labels, speakers, numbers, waves = (list(column) for column in zip(*entries, strict=True))
    if len(set(labels)) < 2:
        raise DataError(
            f"{source} has only the label {labels[0]}; allowed: two or more labels; add recordings with another label"
        )
    rows = Ragged.of(waves, "float32")
    names = np.frombuffer("\n".join(f"{a}_{b}_{c}" for a, b, c in zip(labels, speakers, numbers, strict=True)).encode(),
                          np.uint8)  # fmt: skip
    digest = fingerprint({"waves": rows.values, "ends": rows.ends, "names": names, "rate": np.array(rate)})
    return Recordings(rows, labels, speakers, numbers, rate, source, digest)


def split(recordings: Recordings, speaker: str | None = None) -> dict[str, IntArray]:
    """Splits recordings into training, validation and test.

    Of the recordings of each label and speaker, the first tenth, at least one, is for test and the next tenth
    for validation. Of 50 recordings these are numbers 0 to 4, the official test split of `spoken_digit`, and 5 to 9.

    Args:
        recordings: All recordings.
        speaker: Speaker whose recordings are the test split; the recordings of the others are then for training
            and validation only. None: all speakers are in each split.

    Returns:
        Indices of the recordings of `train`, `validation` and `test`, int64 `(recordings,)`.

    Raises:
        ConfigError: The speaker does not exist, or is the only one.
        DataError: There are fewer than three recordings of a label and speaker.
    """
    speakers = sorted(set(recordings.speakers))
    if speaker is not None and (speaker not in speakers or len(speakers) == 1):
        hint = "there is no other" if speaker in speakers else suggest(speaker, speakers)
        raise ConfigError(f"options.speaker={speaker}: {recordings.source} has {len(speakers)} speakers; {hint}")
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i in np.lexsort((recordings.numbers, recordings.labels, recordings.speakers)):
        groups[recordings.labels[i], recordings.speakers[i]].append(int(i))
    parts = {}
    for (label, group_speaker), rows in groups.items():
        if group_speaker != speaker and len(rows) < 3:
            raise DataError(
                f"{recordings.source} has {len(rows)} recordings of {label} by {group_speaker}; three or more are "
                "needed, for training, validation and test; add some or remove these"
            )
        tenth = max(1, len(rows) // 10)
        for rank, i in enumerate(rows):
            part = "test" if rank < tenth else "validation" if rank < 2 * tenth else "train"
            parts[i] = (
                "test" if group_speaker == speaker else "train" if speaker is not None and part == "test" else part
            )
    limits = recordings.source.limits
    return {
        part: np.array([i for i in range(len(parts)) if parts[i] == part][: limits[part]], np.int64) for part in PARTS
    }


def _prepared(source: Source) -> list[tuple[str, str, int, FloatArray]]:
    """Label, speaker, number and sound of the recordings of `spoken_digit`."""
    arrays = tfds.load(source, ["train"], ["audio", "audio/filename"])
    names, waves = tfds.texts(arrays, "train/audio/filename"), arrays.arrays["train/audio"]
    # The recordings are padded with zeros to equal lengths. Removing the padding also removes zeros at the end of the
    # recordings, at most six.
    lengths = waves.shape[1] - np.argmax(waves[:, ::-1] != 0, axis=1)
    return [
        (*_parsed(name), (wave[:length] / 32768).astype(np.float32))
        for name, wave, length in zip(names, waves, lengths, strict=True)
    ]


def _folder(folder: Path, rate: int) -> tuple[list[tuple[str, str, int, FloatArray]], list[int]]:
    """Label, speaker, number and sound of the WAV files of a folder, and their sampling rates.

    Raises:
        DataError: There is no WAV file, or a file is damaged or has another name.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".wav" and path.is_file())
    if not paths:
        raise DataError(f"{folder} has no WAV file; add files named label_speaker_number.wav")
    names = [_parsed(utf8_name(path), path) for path in paths]
    sounds = [read_wav(path, rate) for path in paths]
    entries = [(*name, wave) for name, (wave, _) in zip(names, sounds, strict=True)]
    return entries, [file_rate for _, file_rate in sounds]


def _parsed(name: str, path: Path | None = None) -> tuple[str, str, int]:
    """Label, speaker and number in the name of a file.

    Raises:
        DataError: The name has another form.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise DataError(
            f"{path or name}: the name has no label, speaker and number; rename it to label_speaker_number.wav, e.g. "
            "7_jackson_12.wav"
        )
    return match["label"], match["speaker"], int(match["number"])


def numbers_of(labels: Sequence[str], classes: Sequence[str]) -> IntArray:
    """Class numbers of labels, int64 `(labels,)`.

    Args:
        labels: The labels.
        classes: Names of the classes, in the order of their numbers.
    """
    numbers = {name: i for i, name in enumerate(classes)}
    return np.array([numbers[label] for label in labels], np.int64)
