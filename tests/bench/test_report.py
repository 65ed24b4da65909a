"""A race as text, Markdown and a picture."""

import numpy as np
from PIL import Image

from seqtasks.bench import report
from seqtasks.bench.race import Race
from seqtasks.bench.shapes import SHAPES

ONE = Race(
    SHAPES["mnist"],
    {"native": np.array([0.01, 0.02, 0.03]), "stock": np.array([0.04, 0.04, 0.06])},
    {"native": 2**20, "stock": 3 * 2**20},
    1e12,
    {},
)
OTHER = Race(SHAPES["char"], {"native": np.array([0.1]), "torch": np.array([0.2])}, {"native": 1, "torch": 1}, 1e12, {})


def test_rows_have_medians_and_shares_of_the_peak():
    (native, stock) = report.rows(ONE)
    assert native[:3] == ["seqtasks, engine native", "20.0", "15.0-25.0"] and stock[1] == "40.0"
    speed = SHAPES["mnist"].flops() / 0.02
    assert native[3:] == [f"{speed / 1e9:.0f}", f"{speed / 1e12:.0%}", "1"] and stock[5] == "3"
    assert report.ratios(ONE, "native") == ["seqtasks, engine native / stock Keras, TensorFlow: 0.50 (0.38-0.50)"]


def test_markdown_has_a_column_for_each_other():
    head, line, mnist, char = report.markdown({"mnist": ONE, "char": OTHER}, "native").splitlines()
    assert head.count("|") == line.count("|") == mnist.count("|") == char.count("|")
    assert head.endswith("| / stock Keras, TensorFlow | / PyTorch |")
    assert mnist.endswith("| 0.50 (0.38-0.50) | - |") and char.endswith("| - | 0.50 (0.50-0.50) |")


def test_the_picture_is_one(tmp_path):
    report.picture({"mnist": ONE, "char": OTHER}, tmp_path / "bars.png")
    with Image.open(tmp_path / "bars.png") as picture:
        assert picture.width > 400 and len(set(picture.convert("L").getdata())) > 10
