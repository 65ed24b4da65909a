"""Which digit somebody says, many-to-one.

    hear     7_jackson_12.wav: 0.43 s, 42 frames of 40 bands, one every 10 ms
    wanted   7

The Free Spoken Digit Dataset has 50 recordings of each digit by each speaker; 0 to 4 of them
are the test split. `options.speaker=theo` hears theo in the test only. `files:DIR` takes a
folder of WAV files named label_speaker_number.wav, whatever the labels. The built-in syllables
come from a synthesiser.
"""

from __future__ import annotations

from seqtasks import register_task
from seqtasks.task_types import AudioTask


@register_task("spoken_digits")
class SpokenDigits(AudioTask):
    """Which digit somebody says."""

    topology = "many-to-one"
    metric = "accuracy"
    tfds = "spoken_digit"
    builtin = "syllables"
