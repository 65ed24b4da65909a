"""Peak resident memory of loading data of different sizes and the first 200 updates.

    python benchmarks/data_memory.py labelled
    python benchmarks/data_memory.py labelled pairs tagged images sounds --sizes 10000,1000000
    python benchmarks/data_memory.py text series --sizes 1,1000

Writes generated data of each size into a temporary folder, with a cache of its own, and trains on it in two processes:
the first converts the data, the second maps what was converted. Prints the seconds until the data is loaded, the peak
above `import tensorflow` at that moment and after the updates, and the difference to the smallest size.

Sizes are numbers of examples; for `text` (one text of a language model) and `series` (a table of series) megabytes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

UPDATES = 200
WORDS = 20_000  # words of generated texts
SMALL = ("encoder.units=32", "options.embedding_dim=32")  # the default model of these takes most of the time
BLOCK = 10_000  # texts that are generated at once


@dataclass(frozen=True)
class Kind:
    """Data of one task.

    Attributes:
        task: Name of the task.
        write: Function of a new folder and a size; it returns the path of the data.
        sizes: Sizes that are measured if none are given.
        overrides: Settings besides the source.
    """

    task: str
    write: Callable[[Path, int], Path]
    sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    overrides: tuple[str, ...] = ()


def texts(seed: int, longest: int = 30) -> Iterator[str]:
    """Texts of 5 to `longest` words, whose frequencies follow Zipf's law."""
    rng = np.random.default_rng(seed)
    words = np.array([f"word{number}" for number in range(WORDS)])
    weights = np.cumsum(1 / np.arange(1, WORDS + 1))
    while True:
        lengths = rng.integers(5, longest, BLOCK, endpoint=True)
        drawn = words[np.searchsorted(weights, rng.random(lengths.sum()) * weights[-1])]
        for part in np.split(drawn, np.cumsum(lengths)[:-1]):
            yield " ".join(part)


def write_labelled(folder: Path, rows: int) -> Path:
    """A CSV file of texts; the label says whether the first word is among the 200 most frequent."""
    path = folder / "texts.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        for text in islice(texts(0), rows):
            file.write(f"{text},{'ab'[int(text[4 : text.index(' ')]) < 200]}\n")
    return path


def write_pairs(folder: Path, rows: int) -> Path:
    """Lines and their words in reverse order."""
    with (folder / "train.en").open("w") as source, (folder / "train.de").open("w") as target:
        for text in islice(texts(0, longest=15), rows):
            source.write(text + "\n")
            target.write(" ".join(reversed(text.split())) + "\n")
    return folder


def write_tagged(folder: Path, rows: int) -> Path:
    """CoNLL-U sentences; the tag of a word is the last digit of its number."""
    for part, count in (("train", rows), ("dev", rows // 10), ("test", rows // 10)):
        with (folder / f"{part}.conllu").open("w") as file:
            for text in islice(texts(len(part), longest=15), count):
                for number, word in enumerate(text.split(), 1):
                    tag = f"T{word[-1]}"
                    file.write(f"{number}\t{word}\t{word}\t{tag}\t{tag}\t_\t0\troot\t_\t_\n")
                file.write("\n")
    return folder


def write_text(folder: Path, megabytes: int) -> Path:
    """The reference of the language, again and again, each time with another number in front of its lines."""
    from pydoc_data.topics import topics

    lines = "\n".join(str(text) for text in topics.values()).encode().split(b"\n")
    path = folder / "text.txt"
    with path.open("wb") as file:
        turn = 0
        while file.tell() < megabytes * 1_000_000:
            file.write(b"\n".join(b"%d %s" % (turn, line) for line in lines))
            turn += 1
        file.truncate(megabytes * 1_000_000)
    return path


def write_series(folder: Path, megabytes: int) -> Path:
    """A CSV file with a row for each step: six channels, 100 steps a series, half with a sine in all channels."""
    rng = np.random.default_rng(0)
    blocks = []
    for number in range(16):
        values = rng.normal(size=(100, 6)) + (number % 2) * np.sin(np.arange(100) / 5)[:, None]
        rows = [
            ",".join(["@", str(60 * step), *(f"{value:.5f}" for value in row), "ab"[number % 2]])
            for step, row in enumerate(values)
        ]
        blocks.append("\n".join(rows) + "\n")
    path = folder / "steps.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("id,time,c1,c2,c3,c4,c5,c6,label\n")
        number = 0
        while file.tell() < megabytes * 1_000_000:
            file.write(blocks[number % len(blocks)].replace("@", f"s{number}"))
            number += 1
    return path


def write_images(folder: Path, count: int) -> Path:
    """Folders of two labels with PNG images of 28×28 pixels; the upper or the lower half is bright."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in "ab":
        (folder / label).mkdir()
    for begin in range(0, count, BLOCK):
        pixels = rng.integers(0, 128, (min(BLOCK, count - begin), 28, 28), np.uint8)
        for number, image in enumerate(pixels, begin):
            image[14 * (number % 2) : 14 * (number % 2) + 14] += 127
            Image.fromarray(image).save(folder / "ab"[number % 2] / f"{number}.png", compress_level=1)
    return folder


def write_idx(folder: Path, count: int) -> Path:
    """The images of `write_images` in gzipped IDX files."""
    import gzip

    rng = np.random.default_rng(0)
    with (
        gzip.open(folder / "train-images-idx3-ubyte.gz", "wb", 1) as images,
        gzip.open(folder / "train-labels-idx1-ubyte.gz", "wb", 1) as labels,
    ):
        images.write(bytes([0, 0, 8, 3]) + np.array([count, 28, 28], ">u4").tobytes())
        labels.write(bytes([0, 0, 8, 1]) + np.array([count], ">u4").tobytes())
        for begin in range(0, count, BLOCK):
            pixels = rng.integers(0, 128, (min(BLOCK, count - begin), 28, 28), np.uint8)
            targets = (np.arange(begin, begin + len(pixels)) % 2).astype(np.uint8)
            pixels[targets == 0, :14] += 127
            pixels[targets == 1, 14:] += 127
            images.write(pixels.tobytes())
            labels.write(targets.tobytes())
    return folder


def write_sounds(folder: Path, count: int) -> Path:
    """WAV files of a tenth of a second by ten speakers; a low or a high tone with noise."""
    import wave

    rng, time = np.random.default_rng(0), np.arange(800) / 8000
    tones = [np.sin(2 * np.pi * frequency * time) for frequency in (400, 1600)]
    for number in range(count):
        samples = (8000 * tones[number % 2] + rng.normal(scale=3000, size=800)).clip(-32768, 32767).astype("<i2")
        name = f"{'ab'[number % 2]}_s{number // 2 % 10}_{number // 20}.wav"
        with wave.open(str(folder / name), "wb") as file:
            file.setparams((1, 2, 8000, 800, "NONE", ""))
            file.writeframes(samples.tobytes())
    return folder


KINDS = {
    "labelled": Kind("sentiment", write_labelled),
    "pairs": Kind("translation", write_pairs, overrides=SMALL),
    "tagged": Kind("tagging", write_tagged, overrides=SMALL),
    "images": Kind("mnist_rows", write_images, overrides=SMALL[:1]),
    "idx": Kind("mnist_rows", write_idx, overrides=SMALL[:1]),
    "sounds": Kind("spoken_digits", write_sounds, overrides=SMALL[:1]),
    "text": Kind("char_lm", write_text, (1, 1000)),
    "series": Kind("series", write_series, (1, 1000)),
}


def peak() -> float:
    """The largest resident memory of this process so far, in megabytes."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1000


def train(kind: Kind, path: str) -> None:
    """Prints the seconds to load the data, and the memory above `import tensorflow` after that and after training."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from seqtasks.core import keras_import

    keras_import.import_keras()
    before = peak()
    from seqtasks.core import plugins
    from seqtasks.core.config import resolve
    from seqtasks.core.reporter import Reporter
    from seqtasks.data.survey import summary
    from seqtasks.training.compiled_model import build
    from seqtasks.training.optimizers import make_optimizer
    from seqtasks.training.resolution import load

    begin = time.perf_counter()
    cls = plugins.load_task(kind.task)
    config = resolve(kind.task, cls.Options, [f"data.source=files:{path}", "train.epochs=1", *kind.overrides])
    task = cls(config.options)
    splits = load(task, config, Reporter(quiet=True))
    summary(task.survey(splits), task.unit)
    loaded, seconds = peak(), time.perf_counter() - begin
    model, _ = build(task, config)
    batches = task.batches(splits.train, config.train.batch_size, shuffle=True)
    model.compile(make_optimizer(config.train, len(batches)), task.loss(), weighted_metrics=task.metrics())
    model.fit(batches, steps_per_epoch=UPDATES, verbose=0)
    print(f"{seconds:.1f} {loaded - before:.0f} {peak() - before:.0f}")


def measure(name: str, size: int) -> list[float]:
    """Peaks after the updates in megabytes above TensorFlow: of the run that converts, and of the one that maps."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        data.mkdir()
        path = KINDS[name].write(data, size)
        environment = {**os.environ, "SEQTASKS_CACHE": str(Path(folder, "cache"))}
        for turn in ("first", "second"):
            done = subprocess.run(
                [sys.executable, __file__, name, "--train", str(path)],
                env=environment, check=True, capture_output=True, text=True,
            )  # fmt: skip
            seconds, loaded, trained = map(float, done.stdout.split()[-3:])
            print(
                f"{name:8} {size:9,}  {turn:6} run  loaded in {seconds:6.1f} s  peak {loaded:5.0f} MB, "
                f"after {UPDATES} updates {trained:5.0f} MB",
                flush=True,
            )
            peaks.append(trained)
    return peaks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="+", choices=list(KINDS))
    parser.add_argument("--sizes", help="sizes, separated by commas")
    parser.add_argument("--train", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train:
        train(KINDS[given.kinds[0]], given.train)
        return
    for name in given.kinds:
        sizes = [int(size) for size in given.sizes.split(",")] if given.sizes else KINDS[name].sizes
        peaks = {size: measure(name, size) for size in sizes}
        for size in sizes[1:]:
            differences = [after - before for after, before in zip(peaks[size], peaks[sizes[0]], strict=True)]
            print(f"{name}: {size:,} against {sizes[0]:,}: {differences[0]:+.0f} and {differences[1]:+.0f} MB")


if __name__ == "__main__":
    main()
