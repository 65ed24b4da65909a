"""Spoken digit recognition from audio recordings.

    Input:   7_jackson_12.wav: 0.43 s, 42 frames of 40 mel bands, one every 10 ms
    Target:  7

The Free Spoken Digit Dataset has 50 recordings of each digit by each speaker; numbers 0 to 4 are the test split.
With `options.speaker=theo` the test split is all recordings of theo. `files:DIR` reads WAV files named
label_speaker_number.wav, with any labels. The built-in syllables are synthetic.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import AudioTask


@register_task("spoken_digits")
class SpokenDigits(AudioTask):
    """Spoken digit recognition from audio recordings."""

    topology = "many-to-one"
    metric = "accuracy"
    tfds = "spoken_digit"
    builtin = "syllables"
