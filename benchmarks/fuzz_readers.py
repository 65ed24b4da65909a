"""The readers that `fuzz.py` tries, each with valid inputs.

A reader gets a folder with the files of an input. What it returns does not matter; it may raise a `SeqtasksError`.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from fuzz_inputs import Files

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "other", "dog", "go", "away", "at", "last"]


@dataclass(frozen=True)
class Reader:
    """A reader.

    Attributes:
        name: Its name on the command line.
        seeds: Valid inputs.
        read: Function that reads the files of a folder.
        pieces: Texts that mean something to it.
        separator: Between the fields of a line.
        keras: Whether it imports Keras.
    """

    name: str
    seeds: Sequence[Files]
    read: Callable[[Path], Any]
    pieces: Sequence[bytes] = ()
    separator: bytes = b","
    keras: bool = False


def _source(path: Path) -> Any:
    from seqtasks.data.source import Source

    return Source("files", str(path), path)


def _only(folder: Path, default: str) -> Path:
    """The only file of a folder; if there is none, one that does not exist."""
    return next(iter(sorted(folder.iterdir())), folder / default)


def _rows(form: str, count: int = 24) -> bytes:
    return "".join(
        form.format(i=i, word=WORDS[i % 14], other=WORDS[i * 5 % 14], label="ab"[i % 2]) for i in range(count)
    ).encode()


def _labelled_texts(folder: Path) -> None:
    from seqtasks.data.text import labelled_texts

    labelled_texts.load(_source(_only(folder, "x.csv")), "text", "label")


def _captions(folder: Path) -> None:
    from seqtasks.data.image import captions

    captions.load(_source(folder), {}, 8)


def _tagging(folder: Path) -> None:
    from seqtasks.data.text import tagged_sentences

    for column in ("upos", "Number"):
        tagged_sentences.load(_source(_only(folder, "x.conllu")), column)


def _corpus(kind: str, **settings: Any) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        from seqtasks.data.text import lm_corpus

        lm_corpus.load(_source(folder), kind=kind, **settings)

    return read


def _parallel(folder: Path) -> None:
    from seqtasks.data.text import parallel_corpus

    table = folder / "pairs.tsv"
    parallel_corpus.load(_source(table if table.is_file() else folder), ("en", "de"))


def _vectors(folder: Path) -> None:
    from seqtasks.data.text.word_vectors import read_vectors

    read_vectors(_only(folder, "x.txt"), WORDS)


def _idx(folder: Path) -> None:
    from seqtasks.data.image import labelled_images

    labelled_images.load(_source(folder))


def _image(folder: Path) -> None:
    from seqtasks.data.image import captions, files

    path = _only(folder, "x.png")
    files.load_image(path, (28, 28))
    captions.read_image(path, 16)


def _video(folder: Path) -> None:
    from seqtasks.data.image import video_files

    video_files.read_video([str(_only(folder, "x.gif"))], 12)


def _wav(folder: Path) -> None:
    from seqtasks.data.audio.features import read_wav

    read_wav(_only(folder, "x.wav"), 8000)


def _each(*calls: Callable[[], Any]) -> None:
    """Calls all functions, also after errors that a user can correct; raises one of these if all fail."""
    from seqtasks.core.errors import SeqtasksError

    errors: list[SeqtasksError] = []
    for call in calls:
        try:
            call()
        except SeqtasksError as error:
            errors.append(error)
    if len(errors) == len(calls):
        raise errors[0]


def _series(folder: Path) -> None:
    from seqtasks.data.series import load, splits
    from seqtasks.data.series.columns import Columns
    from seqtasks.data.series.scaling import Scaling

    path = _only(folder, "x.csv")

    def labelled() -> None:
        data = load.load(_source(path), Columns())
        kind = data.kind or splits.kind_of(data.parts["train"].targets or ())
        parts, _ = splits.split(data, kind)
        if kind == "number":
            splits.as_numbers(parts["train"])
        Scaling.fit(parts["train"])
        load.read_file(path, data.roles or Columns(labels="optional"))

    def unlabelled() -> None:
        data = load.load(_source(path), Columns(labels="none"))
        splits.cut_in_time(data.parts["train"])

    _each(labelled, unlabelled)


def _anomaly(folder: Path) -> None:
    from seqtasks.data.series.columns import Columns
    from seqtasks.data.series.marked import Cuts, load_marked

    load_marked(_source(_only(folder, "x.csv")), Columns(labels="none"), None, Cuts())


@dataclass(frozen=True)
class _Options:
    """Options of a task, of each type."""

    augment: bool = False
    size: int | None = None
    rates: tuple[float, ...] = ()
    kind: Literal["auto", "yes", "no"] = "auto"
    words: str = ""


def _use(config: Any) -> None:
    """Uses a configuration as every run does."""
    from seqtasks.core.config import check_texts

    check_texts(config)
    config.identity(1)
    yaml.safe_dump(config.to_dict())


def _settings(folder: Path) -> None:
    from seqtasks.core.config import resolve
    from seqtasks.training import requests

    path = _only(folder, "x.yaml")
    _each(
        lambda: _use(resolve("mnist_rows", _Options, (), path, source="builtin:digits", size=100)),
        lambda: requests.check("mnist_rows", (), str(path)),
    )


def _overrides(folder: Path) -> None:
    from seqtasks.core.config import resolve
    from seqtasks.experiments.compare import expand
    from seqtasks.training import requests

    text = _only(folder, "x.txt").read_bytes().decode("utf-8", "surrogateescape")
    for words in expand(text.replace("\0", "").split("\n"))[:3]:  # a shell passes no NUL
        _each(
            lambda words=words: _use(resolve("mnist_rows", _Options, words)),
            lambda words=words: requests.check("mnist_rows", words, None),
        )


def _run_folder(folder: Path) -> None:
    from seqtasks.experiments import results, run_folder, run_list, table, table_formats
    from seqtasks.training import known_runs

    run_list.list_runs(folder.parent)
    known_runs.recall(folder.parent, "0123", None)
    results.finished(folder)
    if results.rows(folder.parent):
        for form in ("text", "csv", "latex"):
            table_formats.render(table.load_table(folder.parent, [], [], []), form)
    run = run_folder.find(str(folder), folder.parent)
    run.command()
    run.command("resume")
    run.config_values()


def _checkpoint(folder: Path) -> None:
    from types import SimpleNamespace

    from seqtasks.training import checkpoint

    path = _only(folder, "checkpoint.npz")
    state: Any = SimpleNamespace(path=path, others=[None])
    checkpoint.Checkpoint._meta(state, checkpoint._load(path))


def _cache(folder: Path) -> None:
    """Entries under the names that the next runs read; one that cannot be read is made again."""
    import os

    from seqtasks.data import cache
    from seqtasks.data.text import token_cache
    from seqtasks.data.text.reader import Text

    os.environ["SEQTASKS_CACHE"] = str(folder)
    cache.cached("digits 1", lambda: {"x": np.arange(4.0)})
    cache.newest("digits")
    text = Text(["a cat and a dog"])
    vocabulary = token_cache.vocabulary_of(text, 0, None, kind="characters")
    assert vocabulary.decode(vocabulary.encode("a cat and a dog")) == "a cat and a dog"
    token_cache.encode(text, vocabulary)


def _bytes_of(write: Callable[[Any], Any]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _picture(form: str, mode: str, side: int = 12, **settings: Any) -> bytes:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 255, (side, side, 4), np.uint8)
    image = Image.fromarray(pixels, "RGBA").convert(mode)
    return _bytes_of(lambda file: image.save(file, form, **settings))


def _gif() -> bytes:
    from PIL import Image

    frames = [Image.fromarray(np.full((12, 12), 40 * i, np.uint8)) for i in range(5)]
    return _bytes_of(lambda file: frames[0].save(file, "GIF", save_all=True, append_images=frames[1:]))


def _sound(dtype: str, rate: int = 8000, channels: int = 1) -> bytes:
    from scipy.io import wavfile

    wave = np.random.default_rng(0).normal(size=(200, channels)[: 1 + (channels > 1)])
    scaled = wave if dtype[0] == "f" else wave * 20 + (128 if dtype == "uint8" else 0)
    return _bytes_of(lambda file: wavfile.write(file, rate, scaled.astype(dtype)))


def _idx_file(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()
    )


def _mnist(pack: Callable[[bytes], bytes], suffix: str) -> Files:
    rng = np.random.default_rng(0)
    return {
        f"{part}-{what}{suffix}": pack(_idx_file(array))
        for part, n in (("train", 60), ("t10k", 8))
        for what, array in (
            ("images-idx3-ubyte", rng.integers(0, 255, (n, 4, 4))),
            ("labels-idx1-ubyte", np.arange(n) % 3),
        )
    }


def _npz(**arrays: Any) -> bytes:
    return _bytes_of(lambda file: np.savez(file, **arrays))


def _runs() -> list[Files]:
    """A finished run folder, as the product writes one."""
    from seqtasks.core.config import resolve
    from seqtasks.experiments import results

    config = resolve("mnist_rows", None, ["train.epochs=2"]).to_dict()
    row = results.Row(
        task="mnist_rows",
        version=1,
        topology="many-to-one",
        kind="model",
        source="builtin:digits",
        fingerprint="0123",
        metric="accuracy",
        higher_is_better=True,
        value=0.9,
        scores={"accuracy": 0.9, "nll": 0.3},
        validation={"accuracy": 0.8},
        seed=0,
        cell="lstm",
        engine="native",
        encoder_params=10,
        params=20,
        epochs=2,
        seconds=3.5,
        seconds_per_epoch=1.5,
        examples_per_second=99.5,
        config=config,
        versions={"python": "3.11"},
        commit=None,
        machine="x, Linux",
        threads=1,
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:00:09+00:00",
        run="run",
        notes=["a note"],
        test_examples=10,
    )
    facts = {
        "format": 2,
        "seqtasks": "0.2",
        "task": "mnist_rows",
        "version": 1,
        "source": "builtin:digits",
        "fingerprint": "0123",
        "spec": {"classes": ["0", "1"], "shape": [8, 8]},
    }
    request = {
        "request": "0123",
        "kind": "builtin",
        "name": "digits",
        "state": "x",
        "asked": "builtin",
        "folder": "",
        "default": None,
    }
    finished = {
        "run.json": json.dumps(facts, indent=1).encode() + b"\n",
        "config.yaml": yaml.safe_dump(config, sort_keys=False).encode(),
        "result.json": json.dumps(results._plain(row), indent=2).encode() + b"\n",
        "status.json": b'{"status": "finished"}\n',
        "request.json": json.dumps(request).encode(),
    }
    plugin = {**finished, "run.json": json.dumps({**facts, "plugin": "mine.py"}).encode(), "mine.py": b"x = 1\n"}
    return [finished, plugin, {k: v for k, v in finished.items() if k != "result.json"}]


def _caches() -> list[Files]:
    """The entries that `_cache` leaves in an empty folder."""
    import os
    import tempfile

    before = os.environ.get("SEQTASKS_CACHE")
    with tempfile.TemporaryDirectory() as name:
        try:
            _cache(Path(name))
            return [{path.name: path.read_bytes() for path in Path(name).iterdir()}]
        finally:
            os.environ.pop("SEQTASKS_CACHE")
            if before is not None:
                os.environ["SEQTASKS_CACHE"] = before


def _parquet() -> list[Files]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        return []
    columns = {
        "id": ["a"] * 12 + ["b"] * 12,
        "t": list(range(12)) * 2,
        "x": [0.5 * i for i in range(24)],
        "label": ["u"] * 12 + ["v"] * 12,
    }
    return [{"series.parquet": _bytes_of(lambda file: parquet.write_table(pa.table(columns), file))}]


def readers() -> list[Reader]:
    """All readers; one whose package is not installed is left out."""
    conllu = b"".join(
        b"# text = x\n1-2\tdon't\t_\t_\t_\t_\t_\t_\t_\t_\n"
        + b"".join(
            b"%d\t%s\t_\t%s\tX\tNumber=%s|Case=Nom\t0\t_\t_\t_\n"
            % (i, WORDS[(i + j) % 14].encode(), [b"NOUN", b"VERB"][i % 2], [b"Sing", b"Plur"][j % 2])
            for i in range(1, 5)
        )
        + b"\n"
        for j in range(12)
    )
    columns = b"-DOCSTART- O\n\n" + b"# a comment\nthe DT O\ncat NN B-X\nsat VB I-X\n\nit PR O\nran VB B-Y\n\n" * 8
    text = " ".join(WORDS * 12).replace(" and", "\n").encode()
    lines = [_rows("{word} {i} {other}\n"), _rows("{other} wort {i}\n")]
    parts = {
        f"{part}.{language}": rows
        for part in ("train", "val", "test")
        for language, rows in zip(("en", "de"), lines, strict=True)
    }
    long = b"id,t,x,y,label\n" + b"".join(
        b"s%d,%d,%d.5,%d,%s\n" % (i // 6, i % 6, i, i * 7 % 5, b"ab"[i // 6 % 2 :][:1]) for i in range(72)
    )
    dated = b"time;value\n" + b"".join(b"2020-%02d-01;%d,5\n" % (i % 12 + 1, i) for i in range(12))
    wide = b"label,x_0,x_1,x_2,y_0,y_1,y_2\n" + b"".join(
        b"%s,%d,,3.5,NA,1e3,%d\n" % (b"ab"[i % 2 :][:1], i, i) for i in range(24)
    )
    marked = b"time,flow,is_anomaly\n" + b"".join(b"%d,%d.25,%d\n" % (i, i % 7, 80 < i < 84) for i in range(120))
    ts = b"# x\n@problemName two\n@timeStamps false\n@classLabel true a b\n@data\n" + b"".join(
        b"1,%d,3:4,?,6:%s\n" % (i, b"ab"[i % 2 :][:1]) for i in range(24)
    )
    stamped = (
        b"@timeStamps true\n@targetLabel true\n@data\n"
        + b"(0,1),(1,2):(0,3),(1,?):1.5\n(0,1),(2,2):(0,3),(2,4):2\n" * 8
    )
    tsf = (
        b"@attribute series_name string\n@attribute start_timestamp date\n@frequency monthly\n@data\n"
        + b"T1:2000-01-01 00-00-00:1,2,?,4\nT2:2001-05-01 00-00-00:4,5.5\n" * 8
    )
    x, y = np.random.default_rng(0).normal(size=(24, 5, 2)), np.arange(24) % 2
    npz = [
        _npz(x=x, y=y),
        _npz(x_train=x, y_train=y, x_test=x[:6], y_test=y[:6], lengths_train=np.full(24, 4)),
        _npz(
            x=x,
            y=y,
            times=np.tile(np.arange(5.0), (24, 1)),
            statics=np.ones((24, 2)),
            groups=np.arange(24) % 6,
            ids=np.arange(24).astype(str),
            channels=np.array(["a", "b"]),
            mask=np.ones((24, 5), bool),
        ),
    ]
    vectors = b"14 3\n" + b"".join(
        b"%s %d.5 -1e-3 %d\n" % (word.encode(), i, i) for i, word in enumerate(dict.fromkeys(WORDS))
    )
    yaml_file = (
        b"encoder: &e\n  cell: gru\n  units: 32\n  options: {}\ntrain:\n  epochs: 3\n  learning_rate: 1e-3\n"
        b"  clip_norm: null\nsizes:\n  2000: {train: {batch_size: 8}}\nsources:\n  builtin: {seed: 3}\n"
    )
    overrides = (
        b"encoder.units=64",
        b"encoder.cell=gru,lstm",
        b"seed=0,1",
        b'data.source="files:a,b",auto',
        b"encoder.options={a: 1, b: [2, 3]}",
        b"train.learning_rate=1e-3",
        b"train.clip_norm=null",
    )
    meta = {
        "epoch": 1,
        "step": 2,
        "done": False,
        "best": 0.5,
        "best_loss": 0.1,
        "best_epoch": 1,
        "spent": 1.5,
        "history": [{"loss": 0.5}],
        "memories": [{"wait": 1}],
    }
    checkpoint = _npz(**{"model/00000": np.ones((3, 2), np.float32), "meta": np.array(json.dumps(meta))})
    pictures = [{"a.png": _picture("PNG", mode)} for mode in ("RGB", "RGBA", "L", "P", "1", "I;16") if mode != "I;16"]
    pictures += [{"a.jpg": _picture("JPEG", "RGB")}, {"a.bmp": _picture("BMP", "RGB")}, {"a.bmp": _picture("BMP", "P")}]
    sounds = [{"a.wav": _sound(kind)} for kind in ("int16", "uint8", "int32", "float32", "float64")]
    sounds += [{"a.wav": _sound("int16", 44100, 2)}]
    captions = {
        "captions.csv": b"image,caption,split\n"
        + b"".join(b"%d.png,a cat %d,%s\n" % (i % 4, i, [b"train", b"train", b"val", b"test"][i % 4]) for i in range(8))
    }
    captions |= {f"{i}.png": _picture("PNG", "RGB") for i in range(4)}
    return [
        Reader(
            "csv",
            [
                {"a.csv": b"text,label\n" + _rows('"{word}, {i}",{label}\n')},
                {"a.tsv": b"text\tlabel\n" + _rows("{word} {i}\t{label}\n")},
            ],
            _labelled_texts,
            [b"text", b"label", b'"a', b'""', b'a"'],
        ),
        Reader(
            "conll",
            [{"a.conllu": conllu}, {"a.conll": columns}],
            _tagging,
            [b"1.1", b"3-4", b"B-X", b"I-Z", b"E-X"],
            b"\t",
        ),
        Reader("characters", [{"a.txt": text}], _corpus("characters")),
        Reader(
            "words",
            [{"train.txt": text, "valid.txt": text, "test.txt": text}],
            _corpus("words", lowercase=True, punctuation=True),
            [b"<unk>", b"<eos>"],
            b" ",
        ),
        Reader("bpe", [{"a.txt": text}], _corpus("bpe", size=260), [b"<unk>"], b" "),
        Reader("parallel", [parts, {"pairs.tsv": _rows("{word} {i}\t{other} wort {i}\n")}], _parallel, [b"\t"], b"\t"),
        Reader("captions", [captions], _captions, [b"train", b"Images/0.png", b"/etc/passwd", b"."]),
        Reader("vectors", [{"a.vec": vectors}], _vectors, [b"the"], b" ", keras=True),
        Reader("idx", [_mnist(bytes, ""), _mnist(lambda data: gzip.compress(data, 1, mtime=0), ".gz")], _idx),
        Reader("image", pictures, _image),
        Reader("video", [{"a.gif": _gif()}], _video),
        Reader("wav", sounds, _wav, [b"RIFF", b"data", b"fmt ", b"LIST", b"RF64", b"RIFX"]),
        Reader("ts", [{"a.ts": ts}, {"a.ts": stamped}], _series, [b"@timeStamps true\n", b"@data\n", b"(1,2)", b"?"]),
        Reader(
            "tsf",
            [{"a.tsf": tsf}],
            _series,
            [b"@attribute x string\n", b"@frequency daily\n", b"9999-12-31 00-00-00"],
            b":",
        ),
        Reader(
            "series",
            [
                {"a.csv": long},
                {"a.csv": dated},
                {"a.tsv": long.replace(b",", b"\t")},
                {"a.csv": wide},
                {"a.csv": wide.partition(b"\n")[2].replace(b"a,", b"1,").replace(b"b,", b"2,")},
                *_parquet(),
            ],
            _series,
            [b"id", b"t", b"time", b"x_1", b"x_999999999", b"2026-02-30", b"20260131", b"12/31/99"],
        ),
        Reader(
            "anomaly", [{"a.csv": marked}, {"a_5_6_9.txt": b" ".join(b"%d.5" % (i % 9) for i in range(60))}], _anomaly
        ),
        Reader("npz", [{"a.npz": data} for data in npz], _series),
        Reader("yaml", [{"a.yaml": yaml_file}], _settings, [b"encoder:", b"  ", b": ", b"*e", b"<<: *e\n"], b":"),
        Reader(
            "overrides",
            [{"a.txt": b"\n".join(overrides[i : i + 2])} for i in range(6)],
            _overrides,
            [
                b"encoder.",
                b"options.",
                b"data.source=",
                b"seed=",
                b"{",
                b"}",
                b"[",
                b"&a [*a]",
                b"[" * 3000,
                b"2026-13-45",
                b"all",
                b"encoder.cell=all",
                b"=",
                b"train=1",
                b"train.epochs=1e9",
            ],
        ),
        Reader("run", _runs(), _run_folder, [b"null", b"[]", b"{}", b"finished", b"/etc/passwd", b"../x.py"], b":"),
        Reader("checkpoint", [{"checkpoint.npz": checkpoint}], _checkpoint, keras=True),
        Reader("cache", _caches(), _cache),
    ]
