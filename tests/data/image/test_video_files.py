"""Videos of the user: GIF files, folders, several images; errors."""

import numpy as np
import pytest
from PIL import Image

from seqtasks.core.errors import DataError
from seqtasks.data.image.video_files import read_video

FRAMES = np.random.default_rng(0).integers(0, 100, (4, 8, 8)).astype(np.uint8)


def gif(path, frames):
    first, *others = [Image.fromarray(frame) for frame in frames]
    first.save(path, save_all=True, append_images=others, duration=100)
    return str(path)


def pngs(folder, frames):
    names = [folder / f"{i:02d}.png" for i in range(len(frames))]
    for name, frame in zip(names, frames, strict=True):
        Image.fromarray(frame).save(name)
    return [str(name) for name in names]


def test_a_gif_a_folder_and_pictures_are_the_same_video(tmp_path):
    images = pngs(tmp_path, FRAMES)
    (tmp_path / "notes.txt").write_text("ignored")
    for names in (images, [str(tmp_path)], [gif(tmp_path.parent / "video.gif", FRAMES)]):
        np.testing.assert_array_equal(read_video(names, 8), FRAMES)


def test_bright_videos_are_inverted_and_others_scaled(tmp_path):
    bright = gif(tmp_path / "bright.gif", 255 - FRAMES)
    np.testing.assert_array_equal(read_video([bright], 8), FRAMES)
    np.testing.assert_array_equal(read_video([bright], 8, "no"), 255 - FRAMES)
    wide = gif(tmp_path / "wide.gif", np.repeat(np.repeat(FRAMES, 2, axis=1), 4, axis=2))
    scaled = read_video([wide], 8)
    assert scaled.shape == (4, 8, 8) and not scaled[:, :2].any() and not scaled[:, -2:].any()


def test_transparent_parts_of_a_gif_hide_their_colour(tmp_path):
    frames = [Image.new("P", (8, 8)) for _ in range(2)]
    for number, frame in enumerate(frames):
        frame.putpalette([0, 0, 0, 200, 200, 200, 255, 255, 255])
        frame.paste(2, (0, 0, 8, 8))  # white, and transparent
        frame.paste(1, (number, 0, number + 1, 8))
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], transparency=2, disposal=2)
    video = read_video([str(tmp_path / "a.gif")], 8, "no")
    assert [np.unique(frame).tolist() for frame in video] == [[0, 200], [0, 200]]
    assert video[1, :, 1].tolist() == [200] * 8


def test_invalid_videos_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.gif").write_text("no video")
    for names, message in {
        (str(tmp_path / "empty"),): "has no image",
        (str(tmp_path / "bad.gif"),): "cannot be read .*expected a GIF",
        (str(tmp_path / "none.gif"),): "does not exist; give a GIF file, or images",
        (str(tmp_path / "none.png"),): "does not exist",
        (str(tmp_path / "bad.gif"), "x.png"): "give one video at a time",
        ("x.png",) * 1001: "1001 images; allowed: 1000 or fewer",
    }.items():
        with pytest.raises(DataError, match=message):
            read_video(names, 8)
