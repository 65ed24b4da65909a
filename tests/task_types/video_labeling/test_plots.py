"""Plots of videos: GIF, strip, and colours of right and wrong labels."""

import numpy as np
import pytest
from PIL import Image

from seqtasks.core.errors import ConfigError
from seqtasks.task_types.common import style
from seqtasks.task_types.video_labeling.plots import frame_strip, write_video

VIDEO = np.arange(3 * 5 * 5, dtype=np.uint8).reshape(3, 5, 5)


def test_predicted_labels_are_above_the_frames():
    figure = frame_strip([VIDEO, VIDEO[:2]], [["a", "b", "漢"], ["a", "b"]], [["a", "c", "漢"], []])
    titles = [(axes.get_title(), axes.title.get_color()) for axes in figure.axes]
    assert titles[:3] == [("a", style.RIGHT), ("b (c)", style.WRONG), ("漢", style.RIGHT)]
    assert titles[3:] == [("a", "black"), ("b", "black"), ("", "black")]
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), VIDEO[1])


def test_a_gif_shows_every_frame_enlarged(tmp_path):
    write_video(tmp_path / "video.gif", VIDEO, ["a", "b", "漢"], ["a", "c", "漢"])
    with Image.open(tmp_path / "video.gif") as video:
        assert video.n_frames == 3 and video.size == (200, 220)
        video.seek(1)
        shown = np.asarray(video.convert("L"))[20:]
        np.testing.assert_allclose(shown[20::40, 20::40], VIDEO[1], atol=8)  # a GIF has few colours
        above = np.asarray(video.convert("RGB"), int)[:20]
        assert np.any(above[..., 0] > above[..., 1] + 50)  # red: wrong


def test_other_suffixes_and_missing_folders_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in .\.mp4.; allowed: \.gif, \.png"):
        write_video(tmp_path / "video.mp4", VIDEO, ["a"] * 3, [])
    with pytest.raises(ConfigError, match=r"there is no folder .*none"):
        write_video(tmp_path / "none" / "video.png", VIDEO, ["a"] * 3, [])
