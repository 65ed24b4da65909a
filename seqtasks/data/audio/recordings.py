"""Loads recordings of single words by several speakers, and splits them.

Recordings of folders of more than `LARGE` bytes are converted once and kept in the cache, from where they are mapped
into memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.errors import ConfigError, DataError, suggest
from seqtasks.core.files import utf8_name
from seqtasks.data import tfds
from seqtasks.data.audio import synthetic_speech
from seqtasks.data.audio.features import read_wav, tell_rates
from seqtasks.data.block_files import blocks_of
from seqtasks.data.bucketing import Ragged
from seqtasks.data.cache import Blocks, cached, fingerprint
from seqtasks.data.ragged_files import collect
from seqtasks.data.source import Source
from seqtasks.data.text.packed_texts import Labels, PackedTexts, TextWriter

NAME = re.compile(r"(?P<label>.+)_(?P<speaker>[^_]+)_(?P<number>\d+)\.wav", re.IGNORECASE)
PARTS = ("train", "validation", "test")
LARGE = 64 << 20  # bytes of all WAV files above which samples and features are mapped
VERSION = 1  # of the entries in the cache


@dataclass(frozen=True)
class Recordings:
    """Recordings of single words.

    Attributes:
        waves: Samples of all recordings, float32.
        labels: Word of each recording.
        speakers: Speaker of each recording.
        numbers: Number of each recording among those with its label and speaker, `(recordings,)`.
        rate: Sampling rate in Hz.
        source: Data source.
        fingerprint: Fingerprint of samples, names and sampling rate.
    """

    waves: Ragged
    labels: Labels
    speakers: Labels
    numbers: IntArray
    rate: int
    source: Source
    fingerprint: str

    @property
    def classes(self) -> list[str]:
        """The labels, sorted."""
        return self.labels.used

    @property
    def large(self) -> bool:
        """Whether what is computed of the recordings should be kept in the cache and mapped."""
        return isinstance(self.waves.values, np.memmap)


def load(source: Source, rate: int) -> Recordings:
    """Loads all recordings of a source, in a fixed random order, so that the first n are a random sample.

    Args:
        source: `spoken_digit` of tfds, a folder of files named `label_speaker_number.wav`, or the built-in
            syllables.
        rate: Sampling rate in Hz; recordings with another rate are resampled.

    Raises:
        DataError: Data is missing or damaged, a file has another name, or there are fewer than two labels.
    """
    if source.kind == "files":
        assert source.folder is not None
        return _folder(source, source.folder, rate)
    if source.kind == "tfds":
        entries, file_rate = _prepared(source), 8000
    else:
        entries, file_rate = synthetic_speech.syllables(), synthetic_speech.RATE
    waves = [wave for *_, wave in entries]
    if file_rate != rate:
        from scipy.signal import resample_poly

        waves = [resample_poly(wave, rate, file_rate).astype(np.float32) for wave in waves]
    tell_rates([file_rate], rate)
    labels, speakers = Labels.of(label for label, *_ in entries), Labels.of(speaker for _, speaker, *_ in entries)
    numbers = np.array([number for *_, number, _ in entries], np.int64)
    order = _order(labels, speakers, numbers, source)
    labels, speakers, numbers = labels[order], speakers[order], numbers[order]
    rows = Ragged.of([waves[i] for i in order], "float32")
    return Recordings(rows, labels, speakers, numbers, rate, source, _digest(rows, labels, speakers, numbers, rate))


def _order(labels: Labels, speakers: Labels, numbers: IntArray, source: Source) -> IntArray:
    """The fixed random order of recordings, indices `(recordings,)`.

    Raises:
        DataError: There are fewer than two labels.
    """
    if len(used := labels.used) < 2:
        raise DataError(
            f"{source} has only the label {used[0]}; allowed: two or more labels; add recordings with another label"
        )
    by_name = np.lexsort((numbers, speakers.numbered(speakers.used), labels.numbered(used)))
    return by_name[np.random.default_rng(0).permutation(len(by_name))]


def _digest(waves: Ragged, labels: Labels, speakers: Labels, numbers: IntArray, rate: int) -> str:
    """Fingerprint of samples, names and sampling rate."""
    names = PackedTexts.of(f"{a}_{b}_{c}" for a, b, c in zip(labels, speakers, numbers, strict=True))
    samples = Blocks(waves.dtype, len(waves.values), blocks_of(waves.values))
    return fingerprint({"waves": samples, "ends": waves.ends, "names": names.joined(b"\n"), "rate": np.array(rate)})


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
    speakers = recordings.speakers.used
    if speaker is not None and (speaker not in speakers or len(speakers) == 1):
        hint = "there is no other" if speaker in speakers else suggest(speaker, speakers)
        raise ConfigError(f"options.speaker={speaker}: {recordings.source} has {len(speakers)} speakers; {hint}")
    labels, names = recordings.labels, recordings.classes
    of_speaker, of_label = recordings.speakers.numbered(speakers), labels.numbered(names)
    order = np.lexsort((recordings.numbers, of_label, of_speaker))
    starts = np.flatnonzero(np.diff(of_speaker[order] * len(names) + of_label[order], prepend=-1))
    parts = np.empty(len(order), np.int8)
    for begin, end in zip(starts, [*starts[1:], len(order)], strict=True):
        rows = order[begin:end]
        label, group_speaker = labels[rows[0]], recordings.speakers[rows[0]]
        if group_speaker != speaker and len(rows) < 3:
            raise DataError(
                f"{recordings.source} has {len(rows)} recordings of {label} by {group_speaker}; three or more are "
                "needed, for training, validation and test; add some or remove these"
            )
        tenth = max(1, len(rows) // 10)
        parts[rows] = PARTS.index("train")
        parts[rows[tenth : 2 * tenth]] = PARTS.index("validation")
        if speaker is None:
            parts[rows[:tenth]] = PARTS.index("test")
        elif group_speaker == speaker:
            parts[rows] = PARTS.index("test")
    limits = recordings.source.limits
    return {part: np.flatnonzero(parts == number)[: limits[part]] for number, part in enumerate(PARTS)}


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


def _folder(source: Source, folder: Path, rate: int) -> Recordings:
    """Reads the WAV files of a folder and its subfolders.

    Many files are converted once: the samples are kept in the cache under a key of the folder and of the names, sizes
    and times of change of its files.

    Raises:
        DataError: There is no WAV file, or a file is damaged or has another name.
    """
    writer = TextWriter()
    words: dict[str, int] = {}
    people: dict[str, int] = {}
    codes = array("q"), array("q"), array("q")
    state, size = hashlib.sha256(), 0
    for path in _paths(folder) if folder.is_dir() else ():
        label, speaker, number = _parsed(utf8_name(path), path)
        facts = path.stat()
        name = path.relative_to(folder).as_posix()
        writer.append(name)
        codes[0].append(words.setdefault(label, len(words)))
        codes[1].append(people.setdefault(speaker, len(people)))
        codes[2].append(number)
        state.update(f"{name}\0{facts.st_size} {facts.st_mtime_ns}\n".encode("utf-8", "surrogatepass"))
        size += facts.st_size
    if not words:
        raise DataError(f"{folder} has no WAV file; add files named label_speaker_number.wav")
    labels = Labels(list(words), np.array(codes[0], np.int32))
    speakers = Labels(list(people), np.array(codes[1], np.int32))
    numbers = np.array(codes[2], np.int64)
    order = _order(labels, speakers, numbers, source)
    labels, speakers, numbers, paths = labels[order], speakers[order], numbers[order], writer.finish()[order]
    rates: Counter[str] = Counter()

    def waves() -> Iterator[FloatArray]:
        for name in paths:
            wave, file_rate = read_wav(folder / name, rate)
            rates[str(file_rate)] += 1
            yield wave

    key = None
    if size >= LARGE:
        key = json.dumps(["recordings", VERSION, str(folder.resolve()), state.hexdigest()[:16], rate])
    rows = collect(waves, np.float32, key, facts=rates)
    tell_rates({int(file_rate): count for file_rate, count in rates.items()}, rate)

    def digest() -> str:
        return _digest(rows, labels, speakers, numbers, rate)

    if key is None:
        return Recordings(rows, labels, speakers, numbers, rate, source, digest())
    stored = cached(f"fingerprint of {key}", lambda: {"digest": np.array(digest())}).arrays["digest"]
    return Recordings(rows, labels, speakers, numbers, rate, source, str(stored))


def _paths(folder: Path) -> Iterator[Path]:
    """The WAV files of a folder and of its subfolders, in the order of their paths."""
    names: dict[str, bool] = {}  # whether it is a folder
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                names[entry.name] = True
            elif Path(entry.name).suffix.lower() == ".wav" and entry.is_file():
                names[entry.name] = False
    for name in sorted(names):
        if names[name]:
            yield from _paths(folder / name)
        else:
            yield folder / name


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
