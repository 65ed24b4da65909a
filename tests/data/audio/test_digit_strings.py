"""Strings of spoken words: composition, reproducibility, batches that resume in an epoch."""

import numpy as np
import pytest

from seqtasks.data.audio.digit_strings import Composer, StringBatches
from seqtasks.data.audio.features import LEVEL, Spectra
from seqtasks.data.audio.recordings import load, split
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples


@pytest.fixture(scope="module")
def recordings():
    return load(Source("builtin", "syllables"), 8000)


def composer(recordings, part="train", longest=4, gap=0.1, mixed=False):
    return Composer(recordings, split(recordings)[part], longest, gap, mixed)


def batches(strings, count=40, size=8, seed=0):
    return StringBatches(Examples({"place": np.arange(count)}, np.arange(count)), strings, Spectra(), size, seed)


def test_a_string_is_its_words_with_silence_between(recordings):
    strings = composer(recordings)
    recipe = strings.recipe(3, 1, 4)
    assert recipe == strings.recipe(3, 1, 4) != strings.recipe(3, 1, 5)
    wave = strings.sound(recipe)
    assert len(wave) == strings.samples(recipe) and len(recipe.gaps) == len(recipe.recordings) + 1
    begin = 0
    for i, gap, gain in zip(recipe.recordings, recipe.gaps, recipe.gains, strict=False):
        assert np.abs(wave[begin : begin + gap]).max(initial=0) < 6 * recipe.noise
        word = recordings.waves.row(i)
        begin += gap
        expected = word / np.sqrt(np.mean(word**2)) * LEVEL * gain
        np.testing.assert_allclose(wave[begin : begin + len(word)], expected, atol=6 * recipe.noise)
        begin += len(word)
    assert begin + recipe.gaps[-1] == len(wave)
    assert [recordings.classes[n - 1] for n in strings.labels(recipe)] == [
        recordings.labels[i] for i in recipe.recordings
    ]


def test_a_split_uses_its_own_recordings_alone(recordings):
    used = {}
    for part, rows in split(recordings).items():
        strings = composer(recordings, part)
        used[part] = {i for n in range(300) for i in strings.recipe(0, n).recordings}
        assert used[part] <= set(rows.tolist())
    assert len(used["test"]) == 40  # all recordings of the split
    assert not used["train"] & used["test"] and not used["validation"] & used["test"]


@pytest.mark.parametrize("mixed", [False, True])
def test_one_voice_or_several(recordings, mixed):
    strings = composer(recordings, mixed=mixed)
    voices = [{recordings.speakers[i] for i in strings.recipe(n).recordings} for n in range(60)]
    assert max(map(len, voices)) == (3 if mixed else 1) or (mixed and max(map(len, voices)) == 4)
    lengths = {len(strings.recipe(n).recordings) for n in range(60)}
    assert lengths == {1, 2, 3, 4}


def test_every_epoch_has_other_strings_and_every_seed(recordings):
    strings = composer(recordings)
    one, same, other = batches(strings), batches(strings), batches(strings, seed=1)
    first = one.recipes
    assert first == same.recipes and not set(first) & set(other.recipes)
    one.on_epoch_begin()
    one.on_epoch_end()
    assert not set(first) & set(one.recipes)
    one.seek(0, 0)
    assert one.recipes == first


def test_resuming_in_an_epoch_gives_the_very_batches(recordings):
    strings = composer(recordings)
    whole, resumed = batches(strings), batches(strings)
    whole.seek(2, 0)
    resumed.seek(2, 3)
    assert len(resumed) == 2
    for i in (3, 4):
        (a, y), (b, z) = whole[i], resumed[i - 3]
        np.testing.assert_array_equal(y, z)
        time = min(a["mask"].shape[1], b["mask"].shape[1])  # a step of padding more or less
        np.testing.assert_array_equal(a["sound"][:, :time], b["sound"][:, :time])
        assert (a["mask"].sum(axis=1) == b["mask"].sum(axis=1)).all()


def test_a_batch_is_padded_and_its_labels_end_in_zeros(recordings):
    strings = composer(recordings)
    data = batches(strings)
    for i in range(len(data)):
        inputs, targets = data[i]
        rows = data.rows(i)
        assert inputs["mask"].sum(axis=1).tolist() == data.lengths[rows].tolist()
        assert [row[row > 0].tolist() for row in targets] == [strings.labels(data.recipes[n]) for n in rows]
        assert targets.shape[1] == 4
    assert data.padding < 0.25  # bucketed by length


def test_a_single_batch_has_one_shape_in_all_epochs(recordings):
    data = batches(composer(recordings), count=5)
    shapes = set()
    for epoch in range(4):
        data.seek(epoch, 0)
        shapes.add((data[0][0]["sound"].shape, data[0][1].shape))
    assert len(shapes) == 1
