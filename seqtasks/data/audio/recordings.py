"""Recordings of single words by several speakers, and their splits."""

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
    """Words, one a recording.

    Attributes:
        waves: float32 samples of all recordings.
        labels: what is said in each.
        speakers: by whom.
        numbers: the how-manieth of its label and speaker.
        rate: samples a second.
        source: where they come from.
        fingerprint: of all of this.
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
    """All recordings of a source, in a fixed mixed order: the first n are a fair sample.

    Args:
        source: `spoken_digit` of tfds, a folder of `label_speaker_number.wav`, or the built-in syllables.
        rate: samples a second; others are resampled.

    Raises:
        DataError: missing or damaged data, a file of another name, fewer than two labels.
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
        raise DataError(f"{source} has only the label {labels[0]}; classification takes two or more")
    rows = Ragged.of(waves, "float32")
    names = np.frombuffer("\n".join(f"{a}_{b}_{c}" for a, b, c in zip(labels, speakers, numbers, strict=True)).encode(),
                          np.uint8)  # fmt: skip
    digest = fingerprint({"waves": rows.values, "ends": rows.ends, "names": names, "rate": np.array(rate)})
    return Recordings(rows, labels, speakers, numbers, rate, source, digest)


def split(recordings: Recordings, speaker: str | None = None) -> dict[str, IntArray]:
    """Which recordings are for training, validation and test.

    Of each label and speaker the first tenth, at least one, is for test and the next tenth for
    validation: of 50 recordings numbers 0 to 4, the official test split, and 5 to 9.

    Args:
        recordings: all.
        speaker: whose recordings are the test split instead; those of the others then are for
            training and validation only.

    Returns:
        Indices, int64, for `train`, `validation` and `test`.

    Raises:
        ConfigError: no such speaker, or no other.
        DataError: fewer than three recordings of a label and speaker.
    """
    known = sorted(set(recordings.speakers))
    if speaker is not None and (speaker not in known or len(known) == 1):
        hint = "there is no other" if speaker in known else suggest(speaker, known)
        raise ConfigError(f"options.speaker={speaker}: {recordings.source} has {len(known)} speakers; {hint}")
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i in np.lexsort((recordings.numbers, recordings.labels, recordings.speakers)):
        groups[recordings.labels[i], recordings.speakers[i]].append(int(i))
    places = {}
    for (label, who), rows in groups.items():
        if who != speaker and len(rows) < 3:
            raise DataError(
                f"{recordings.source} has {len(rows)} recordings of {label} by {who}; three or more are needed, for "
                "training, validation and test; add some or remove these"
            )
        tenth = max(1, len(rows) // 10)
        for rank, i in enumerate(rows):
            part = "test" if rank < tenth else "validation" if rank < 2 * tenth else "train"
            places[i] = "test" if who == speaker else "train" if speaker is not None and part == "test" else part
    limits = recordings.source.limits
    return {
        part: np.array([i for i in range(len(places)) if places[i] == part][: limits[part]], np.int64) for part in PARTS
    }


def _prepared(source: Source) -> list[tuple[str, str, int, FloatArray]]:
    read = tfds.load(source, ["train"], ["audio", "audio/filename"])
    names, waves = tfds.texts(read, "train/audio/filename"), read.arrays["train/audio"]
    # They are padded with zeros to one length. Cutting them takes zeros of a recording's own, too: six at most.
    lengths = waves.shape[1] - np.argmax(waves[:, ::-1] != 0, axis=1)
    return [
        (*_named(name), (wave[:length] / 32768).astype(np.float32))
        for name, wave, length in zip(names, waves, lengths, strict=True)
    ]


def _folder(folder: Path, rate: int) -> tuple[list[tuple[str, str, int, FloatArray]], list[int]]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".wav" and path.is_file())
    if not paths:
        raise DataError(f"{folder} has no WAV file; put files there named label_speaker_number.wav")
    named = [_named(utf8_name(path), path) for path in paths]
    read = [(names, read_wav(path, rate)) for names, path in zip(named, paths, strict=True)]
    return [(*names, wave) for names, (wave, _) in read], [file_rate for _, (_, file_rate) in read]


def _named(name: str, path: Path | None = None) -> tuple[str, str, int]:
    match = NAME.fullmatch(name)
    if match is None:
        raise DataError(
            f"{path or name}: the name does not say what is spoken by whom; name it label_speaker_number.wav, e.g. "
            "7_jackson_12.wav"
        )
    return match["label"], match["speaker"], int(match["number"])


def numbers_of(labels: Sequence[str], classes: Sequence[str]) -> IntArray:
    """Labels as their places among the classes, int64."""
    places = {name: i for i, name in enumerate(classes)}
    return np.array([places[label] for label in labels], np.int64)
