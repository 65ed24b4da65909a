"""Films with labels: a GIF of as many frames, a strip, colours of right and wrong."""

import numpy as np
import pytest
from PIL import Image

from seqtasks.core.errors import ConfigError
from seqtasks.task_types.video_labeling.plots import film_strip, write_film

FILM = np.arange(3 * 5 * 5, dtype=np.uint8).reshape(3, 5, 5)


def test_answers_stand_above_the_frames():
    figure = film_strip([FILM, FILM[:2]], [["a", "b", "漢"], ["a", "b"]], [["a", "c", "漢"], []])
    titles = [(axes.get_title(), axes.title.get_color()) for axes in figure.axes]
    assert titles[:3] == [("a", "green"), ("b (c)", "red"), ("漢", "green")]
    assert titles[3:] == [("a", "black"), ("b", "black"), ("", "black")]
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), FILM[1])


def test_a_gif_shows_every_frame_enlarged(tmp_path):
    write_film(tmp_path / "film.gif", FILM, ["a", "b", "漢"], ["a", "c", "漢"])
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 3 and film.size == (200, 220)
        film.seek(1)
        shown = np.asarray(film.convert("L"))[20:]
        np.testing.assert_allclose(shown[20::40, 20::40], FILM[1], atol=8)  # a GIF has few colours
        above = np.asarray(film.convert("RGB"), int)[:20]
        assert np.any(above[..., 0] > above[..., 1] + 50)  # red: wrong


def test_other_endings_and_places_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in .\.mp4.; allowed: \.gif, \.png"):
        write_film(tmp_path / "film.mp4", FILM, ["a"] * 3, [])
    with pytest.raises(ConfigError, match=r"there is no folder .*none"):
        write_film(tmp_path / "none" / "film.png", FILM, ["a"] * 3, [])
