"""Inputs of requests: kinds of tasks, files, arrays, tables, and what is refused."""

from __future__ import annotations

import base64
import io
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtasks.core.errors import DataError
from seqtasks.core.plugins import load_task
from seqtasks.data.audio.recordings import read_wav
from seqtasks.deploy.examples import examples
from seqtasks.deploy.inputs import array_of, kind_of, text_of, write_file

KINDS = {
    "char_lm": "prompt",
    "sentiment": "texts",
    "tagging": "texts",
    "translation": "texts",
    "mnist_rows": "image",
    "captioning": "image",
    "glimpses": "image",
    "frames": "video",
    "spoken_digits": "sound",
    "spoken_strings": "sound",
    "series": "table",
    "forecast": "table",
    "step_labels": "table",
    "anomaly": "table",
    "adding": "array",
    "copy_memory": "array",
}


@pytest.mark.parametrize(("task", "kind"), KINDS.items())
def test_every_task_has_a_kind(task: str, kind: str, tmp_path: Path) -> None:
    assert kind_of(load_task(task)()) == kind
    for inputs in examples(kind):
        if kind != "texts":
            assert write_file(inputs[0], kind, tmp_path, 0).stat().st_size > 0


def png(array: np.ndarray) -> str:
    data = io.BytesIO()
    Image.fromarray(array).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def test_files_and_arrays_of_images_and_sounds(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, (5, 6)).astype(np.uint8)
    files = [
        write_file({"base64": png(array), "name": "../../a.PNG"}, "image", tmp_path, 0),
        write_file({"values": array.tolist()}, "image", tmp_path, 1),
    ]
    assert all(path.parent == tmp_path and (np.asarray(Image.open(path)) == array).all() for path in files)
    samples = np.sin(np.arange(800) / 5)
    path = write_file({"values": samples.tolist(), "rate": 4000}, "sound", tmp_path, 2)
    heard, rate = read_wav(path, 4000)
    assert rate == 4000 and np.allclose(heard, samples, atol=1e-3)
    with wave.open(str(path)) as file:
        assert file.getnframes() == 800


def test_a_table_as_text_or_as_rows(tmp_path: Path) -> None:
    text = write_file(" time,x\n0,1.5\n1,2\n", "table", tmp_path, 0)
    rows = write_file({"rows": [{"time": 0, "x": 1.5}, {"time": 1, "x": 2}]}, "table", tmp_path, 1)
    assert text.read_text() == "time,x\n0,1.5\n1,2\n" and rows.read_text().split() == ["time,x", "0,1.5", "1,2"]


WRONG = [
    ("/etc/passwd", "image", "the input is a text; allowed"),
    ({"base64": "äh"}, "image", "is not base64"),
    ({"base64": "aGFsbG8="}, "image", "no image that can be read"),
    ({"base64": "aGFsbG8=", "name": "a.exe"}, "image", "ends in '.exe'; allowed: .png"),
    ({"base64": "aGFsbG8=", "name": "a.npz"}, "table", "ends in '.npz'; allowed: .csv"),
    ({"values": [[1, 2], [3]]}, "image", "no array of numbers"),
    ({"values": [["a"]]}, "image", "no array of numbers"),
    ({"values": []}, "image", "is empty"),
    ({"values": [[float("inf")]]}, "image", "not finite"),
    ({"values": [[300]]}, "image", "outside 0 to 255"),
    ({"values": [1, 2]}, "image", r"shape \(2,\); allowed: \(height"),
    ({"values": [[1.0]]}, "sound", "allowed: one list of samples"),
    ({"values": [1.0], "rate": 10}, "sound", "rate 10; allowed"),
    ({"rows": []}, "table", "no list of objects"),
    ({"rows": [1]}, "table", "no list of objects"),
    ({}, "table", "none of text, rows, base64"),
    ({"rows": [{"x": 1}]}, "image", "none of base64, values"),
]


@pytest.mark.parametrize(("item", "kind", "message"), WRONG)
def test_what_is_refused(item: object, kind: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as error:
        write_file(item, kind, tmp_path, 0)
    assert "\n" not in str(error.value)


def test_a_large_image_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.new("1", (6000, 6000)).save(data, "PNG")
    assert len(data.getvalue()) < 20_000
    with pytest.raises(DataError, match="36,000,000 pixels; allowed: 25,000,000"):
        write_file({"base64": base64.b64encode(data.getvalue()).decode()}, "image", tmp_path, 0)


def test_texts_and_arrays() -> None:
    with pytest.raises(DataError, match="surrogate"):
        text_of("\ud800")
    with pytest.raises(DataError, match="is an object; allowed: a text"):
        text_of({"values": [1]})
    with pytest.raises(DataError, match='has no "values"'):
        array_of("1 2 3")
    assert array_of({"values": [[1, 2.5]]}).tolist() == [[1.0, 2.5]]
