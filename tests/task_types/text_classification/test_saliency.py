"""Saliency of words: values, colours, and files with a legend."""

import warnings

import numpy as np
import pytest
from PIL import Image

from seqtasks.core.config import EncoderConfig
from seqtasks.core.errors import ConfigError
from seqtasks.layers.encoder import Encoder
from seqtasks.task_types.text_classification import saliency
from seqtasks.task_types.text_classification.model import TextClassifierParts, text_classifier
from seqtasks.task_types.text_classification.task import TextOptions

TEXT, SPANS = "good $ bad", [(0, 4), (5, 6), (7, 10)]


def test_saliency_of_each_word_with_and_without_an_encoder():
    for recurrence in (True, False):
        encoder = Encoder(EncoderConfig(cell="gru", units=3), name="encoder")
        options = TextOptions(embedding_dim=4, recurrence=recurrence)
        model = text_classifier(encoder, 7, 2, options, "texts")
        parts = TextClassifierParts.of(model)
        assert (parts.encoder is None) is not recurrence and parts.embedding.input_dim == 7
        values = saliency.gradient_times_input(model)(np.array([[3, 5, 0]]), np.array([1]))
        assert values.shape == (1, 3) and values[0, :2].any() and values[0, 2] == 0


def shaded():
    return saliency.colorize(TEXT, SPANS, [2.0, 0.1, -1.0])


def test_words_are_green_or_red_by_their_weight():
    styles = {TEXT[span.start : span.end]: str(span.style) for span in shaded().spans}
    assert styles == {"good": "black on #40ff40", "bad": "black on #ff9f9f"}
    assert shaded().legend.plain.split("  ") == [" for the answer", " against it "]


def test_a_page_has_a_legend_and_the_answers(tmp_path):
    saliency.write(tmp_path / "a.html", [shaded(), shaded()], ["<b>", "worse"])
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count("for the answer") == page.count("against it") == 1
    assert page.index("against it") < page.index("answer: &lt;b&gt;") < page.index("answer: worse")


def test_a_picture_has_a_legend_in_the_colours_of_the_words(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saliency.write(tmp_path / "a.png", [shaded()], ["$$"])
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    green = np.argwhere((pixels == [64, 255, 64]).all(-1))
    red = np.argwhere((pixels == [255, 64, 64]).all(-1))
    assert len(red) and red[:, 0].max() < green[:, 0].max()  # full red only in the legend, full green below it too
    with pytest.raises(ConfigError, match=r"ends in '\.gif'; allowed: \.html, \.htm, \.png"):
        saliency.write(tmp_path / "a.gif", [shaded()])


def test_marks_stay_on_their_characters_and_wide_characters_take_two_columns():
    assert list(saliency._clusters("e\u0301漢x")) == [(0, 1, "e\u0301"), (1, 3, "漢"), (3, 4, "x")]
