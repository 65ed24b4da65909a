"""Strings of recordings: what they are made of, the same for the same numbers, resumed in the middle."""

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


def batches(made, count=40, size=8, seed=0):
    return StringBatches(Examples({"place": np.arange(count)}, np.arange(count)), made, Spectra(), size, seed)


def test_a_string_is_its_words_with_silence_between(recordings):
    made = composer(recordings)
    recipe = made.recipe(3, 1, 4)
    assert recipe == made.recipe(3, 1, 4) != made.recipe(3, 1, 5)
    wave = made.sound(recipe)
    assert len(wave) == made.samples(recipe) and len(recipe.gaps) == len(recipe.recordings) + 1
    begin = 0
    for i, gap, gain in zip(recipe.recordings, recipe.gaps, recipe.gains, strict=False):
        assert np.abs(wave[begin : begin + gap]).max(initial=0) < 6 * recipe.noise
        word = recordings.waves.row(i)
        begin += gap
        expected = word / np.sqrt(np.mean(word**2)) * LEVEL * gain
        np.testing.assert_allclose(wave[begin : begin + len(word)], expected, atol=6 * recipe.noise)
        begin += len(word)
    assert begin + recipe.gaps[-1] == len(wave)
    assert [recordings.classes[n - 1] for n in made.labels(recipe)] == [recordings.labels[i] for i in recipe.recordings]


def test_a_split_uses_its_own_recordings_alone(recordings):
    used = {}
    for part, rows in split(recordings).items():
        made = composer(recordings, part)
        used[part] = {i for n in range(300) for i in made.recipe(0, n).recordings}
        assert used[part] <= set(rows.tolist())
    assert len(used["test"]) == 40  # and all of them
    assert not used["train"] & used["test"] and not used["validation"] & used["test"]


@pytest.mark.parametrize("mixed", [False, True])
def test_one_voice_or_several(recordings, mixed):
    made = composer(recordings, mixed=mixed)
    voices = [{recordings.speakers[i] for i in made.recipe(n).recordings} for n in range(60)]
    assert max(map(len, voices)) == (3 if mixed else 1) or (mixed and max(map(len, voices)) == 4)
    lengths = {len(made.recipe(n).recordings) for n in range(60)}
    assert lengths == {1, 2, 3, 4}


def test_every_epoch_has_other_strings_and_every_seed(recordings):
    made = composer(recordings)
    one, same, other = batches(made), batches(made), batches(made, seed=1)
    first = one.recipes
    assert first == same.recipes and not set(first) & set(other.recipes)
    one.on_epoch_begin()
    one.on_epoch_end()
    assert not set(first) & set(one.recipes)
    one.seek(0, 0)
    assert one.recipes == first


def test_resuming_in_an_epoch_gives_the_very_batches(recordings):
    made = composer(recordings)
    whole, rest = batches(made), batches(made)
    whole.seek(2, 0)
    rest.seek(2, 3)
    assert len(rest) == 2
    for i in (3, 4):
        (a, y), (b, z) = whole[i], rest[i - 3]
        np.testing.assert_array_equal(y, z)
        time = min(a["mask"].shape[1], b["mask"].shape[1])  # a step of padding more or less
        np.testing.assert_array_equal(a["sound"][:, :time], b["sound"][:, :time])
        assert (a["mask"].sum(axis=1) == b["mask"].sum(axis=1)).all()


def test_a_batch_is_padded_and_its_labels_end_in_zeros(recordings):
    made = composer(recordings)
    found = batches(made)
    for i in range(len(found)):
        inputs, targets = found[i]
        rows = found.rows(i)
        assert inputs["mask"].sum(axis=1).tolist() == found.lengths[rows].tolist()
        assert [row[row > 0].tolist() for row in targets] == [made.labels(found.recipes[n]) for n in rows]
        assert targets.shape[1] == 4
    assert found.padding < 0.25  # bucketed by length


def test_a_single_batch_has_one_shape_in_all_epochs(recordings):
    found = batches(composer(recordings), count=5)
    shapes = set()
    for epoch in range(4):
        found.seek(epoch, 0)
        shapes.add((found[0][0]["sound"].shape, found[0][1].shape))
    assert len(shapes) == 1
