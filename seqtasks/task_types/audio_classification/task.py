"""Audio tasks: features, prediction from WAV files, and classification of recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from seqtasks.core.arrays import FloatArray, IntArray
from seqtasks.core.errors import ConfigError
from seqtasks.core.settings import setting
from seqtasks.data.audio import recordings
from seqtasks.data.audio.features import Spectra, read_wav, tell_rates
from seqtasks.data.audio.frame_batches import FrameBatches, Frames, padded
from seqtasks.data.block_files import blocks_of, release
from seqtasks.data.bucketing import Ragged
from seqtasks.data.cache import cached, fingerprint
from seqtasks.data.ragged_files import collect
from seqtasks.data.source import Source
from seqtasks.data.spec import Spec
from seqtasks.data.splits import Examples, Splits
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.metrics import classification_scores, log_softmax
from seqtasks.layers.pooling import How, Pooling
from seqtasks.layers.speech import SpecAugment, TimeReduction, joined_mask
from seqtasks.task_types.base import Baseline, Task, bucketed_logits
from seqtasks.task_types.common.columns import class_row
from seqtasks.task_types.common.linear_baseline import logistic_regression
from seqtasks.task_types.common.plots import class_pictures
from seqtasks.task_types.common.steps import Steps, class_properties, loudness_properties

MAX_BATCH_FRAMES = 20_000  # of `predict`, padding included, so that one long file does not pad many short ones


@dataclass(frozen=True)
class SoundOptions:
    """Audio feature options."""

    speaker: str | None = setting(None, "speaker whose recordings are the test split; null: a tenth of each speaker's")
    rate: int = setting(8000, "sampling rate in Hz; other recordings are resampled", ge=1000)
    features: Literal["mel", "mfcc"] = setting("mel", "features of a frame: log-mel spectrum or MFCC")
    bands: int = setting(40, "number of mel bands", ge=1)
    coefficients: int = setting(13, "number of MFCC coefficients", ge=1)
    window: float = setting(25.0, "length of a frame in ms", gt=0)
    hop: float = setting(10.0, "distance between frames in ms", gt=0)
    join: int = setting(2, "number of frames joined into one time step", ge=1, affects_data=False)
    time_masks: int = setting(0, "number of time masks in training (SpecAugment)", ge=0, affects_data=False)
    time_width: int = setting(10, "maximum number of frames of a time mask", ge=0, affects_data=False)
    band_masks: int = setting(0, "number of frequency masks in training (SpecAugment)", ge=0, affects_data=False)
    band_width: int = setting(6, "maximum number of bands of a frequency mask", ge=0, affects_data=False)
    noise: float = setting(
        0.0,
        "standard deviation of noise added to frames in training, relative to that of a band",
        ge=0,
        affects_data=False,
    )
    dropout: float = setting(0.0, "dropout rate before the output layer", ge=0, lt=1, affects_data=False)


@dataclass(frozen=True)
class AudioOptions(SoundOptions):
    """Options of audio classification: features, augmentation and pooling.

    Example:
        >>> from seqtasks.task_types import AudioOptions
        >>> options = AudioOptions(features="mfcc", pooling="mean")
        >>> options.coefficients, options.rate
        (13, 8000)
    """

    shift: int = setting(
        0, "maximum number of frames cut off at random at each end in training", ge=0, affects_data=False
    )
    pooling: How = setting(
        "max", "pooling of the outputs over time; concat: last, mean and max concatenated", affects_data=False
    )


@dataclass(frozen=True, kw_only=True)
class SoundSpec(Spec):
    """Facts about recordings that all audio tasks store in the run folder.

    Attributes:
        classes: Names of the classes or words, in the order of their numbers.
        mean: Mean of each feature over the frames of the training split, `(features,)`.
        sd: Standard deviation of each feature over these frames, `(features,)`; 1 for a constant feature.
        counts: Number of examples of each split.
    """

    classes: Sequence[str]
    mean: Sequence[float]
    sd: Sequence[float]
    counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class AudioSpec(SoundSpec):
    """Facts about labelled recordings, as the run folder stores them.

    Attributes:
        classes: Names of the classes, in the order of their numbers.
        speakers: Names of the speakers, sorted.
        mean: Mean of each feature over the frames of the training split, `(features,)`.
        sd: Standard deviation of each feature over these frames, `(features,)`; 1 for a constant feature.
        counts: Number of recordings of each split.

    Example:
        >>> from seqtasks.task_types import AudioSpec
        >>> spec = AudioSpec(classes=["no", "yes"], speakers=["ada"], mean=[0.5], sd=[1.0], counts={"train": 9})
        >>> AudioSpec.from_dict(spec.to_dict()) == spec
        True
    """

    speakers: Sequence[str]
    mean: Sequence[float]  # repeated, because the run folder stores the fields in the order of declaration
    sd: Sequence[float]
    counts: Mapping[str, int]


class SoundTask(Task):
    """Base class of audio tasks: features, augmentation, and WAV files in `predict`."""

    files = True
    reads = "paths"
    separate_inputs = True
    unit = "recordings"
    Options = SoundOptions
    options: SoundOptions
    spec: SoundSpec

    @property
    def spectra(self) -> Spectra:
        """Feature extractor with the settings of `options`."""
        o = self.options
        return Spectra(o.rate, o.features, o.bands, o.coefficients, o.window, o.hop)

    def frames(self, waves: Ragged, digest: str) -> Frames:
        """Returns the features of all recordings; they are computed once and cached.

        Args:
            waves: Samples of each recording.
            digest: Fingerprint of the samples, for the key of the cache.
        """
        spectra = self.spectra

        def make() -> dict[str, np.ndarray]:
            frames = Frames.stack([spectra(waves.row(i)) for i in range(len(waves))], spectra.width)
            return {"sound": frames.values, "ends": frames.ends}

        arrays = cached(f"{spectra} of {digest}", make).arrays
        return Frames(arrays["sound"], arrays["ends"])

    def stored_frames(self, corpus: recordings.Recordings, rows: IntArray) -> Frames:
        """Returns the features of some recordings, mapped from the cache, which has them after the first call.

        Args:
            corpus: All recordings.
            rows: Indices of the recordings, `(recordings,)`.
        """
        spectra, waves = self.spectra, corpus.waves

        def features() -> Iterator[FloatArray]:
            for number, i in enumerate(rows):
                yield spectra(waves.row(i))
                if number % 1000 == 999:
                    release(waves.values)

        key = f"{spectra} of {corpus.fingerprint}, {fingerprint({'rows': rows})}"
        ragged = collect(features, np.float32, key, (spectra.width,))
        return Frames(ragged.values, ragged.ends)

    def steps(self) -> tuple[dict[str, Any], Any, Any]:
        """Builds the first layers: normalization, SpecAugment and concatenation of frames.

        Padding is masked: the mask excludes it from augmentation, and is joined as the frames are.

        Returns:
            The inputs `sound`, `(batch, frames, features)`, and `mask`, `(batch, frames)`; the time steps,
            `(batch, time, width)`; and their mask, `(batch, time)`.
        """
        o = self.options
        inputs = {
            "sound": keras.Input((None, self.spectra.width), name="sound"),
            "mask": keras.Input((None,), name="mask", dtype="bool"),
        }
        x, mask = inputs["sound"], inputs["mask"]
        variance = np.square(self.spec.sd).tolist()
        x = keras.layers.Normalization(mean=list(self.spec.mean), variance=variance, name="normal")(x)
        if o.time_masks or o.band_masks or o.noise:
            x = SpecAugment(o.time_masks, o.time_width, o.band_masks, o.band_width, o.noise)(x, mask=mask)
        if o.join > 1:
            x, mask = TimeReduction(o.join)(x, mask=mask), joined_mask(mask, o.join)
        return inputs, x, mask

    def encode_inputs(self, inputs: Sequence[str]) -> Any:
        return padded(self.heard(inputs, "sound.wav"))

    def describe_steps(self, inputs: Any, targets: Any = None) -> Steps:
        """Describes frames by their features and loudness, and the class of the recording."""
        sound = np.asarray(inputs["sound"], np.float64)
        # Mel bands are logarithms of power, and the first coefficient of MFCC is their sum.
        loudness = sound.mean(axis=-1) if self.options.features == "mel" else sound[..., 0]
        properties, titles = loudness_properties(loudness, np.asarray(inputs["mask"])), []
        if targets is not None and np.ndim(targets) == 1:
            properties |= class_properties(targets, self.classes, sound.shape[1])
            titles = [self.classes[n] for n in targets]
        return Steps(signal=sound, properties=properties, titles=titles)

    def heard(self, names: Sequence[str], example: str) -> Frames:
        """Reads WAV files and computes their features.

        Args:
            names: Paths of the files.
            example: Name of a file for the error message.

        Raises:
            ConfigError: No file is named.
            DataError: A file cannot be read.
        """
        if not names:
            raise ConfigError(
                f"no recording given; allowed: one or more WAV files; name them, as in seqtasks predict RUN {example}"
            )
        waves = [read_wav(Path(name), self.options.rate) for name in names]
        tell_rates((file_rate for _, file_rate in waves), self.options.rate)
        return Frames.stack([self.spectra(wave) for wave, _ in waves], self.spectra.width)


class AudioTask(SoundTask):
    """Base class of tasks that classify recordings.

    The outputs of the encoder are pooled over the valid steps; padding does not change the logits.

    Example:
        >>> from seqtasks.task_types import AudioTask
        >>> class Birds(AudioTask):  # in a plugin file, below @register_task("birds")
        ...     topology, metric, builtin = "many-to-one", "accuracy", "syllables"
        >>> Birds.sources()
        ['files:DIR', 'builtin:syllables']
    """

    Options = AudioOptions
    hub_task = "audio-classification"
    options: AudioOptions
    Spec = AudioSpec
    spec: AudioSpec

    def load(self, source: Source, seed: int) -> Splits:
        corpus = recordings.load(source, self.options.rate)
        rows = recordings.split(corpus, self.options.speaker)
        if corpus.large:
            frames = {part: self.stored_frames(corpus, index) for part, index in rows.items()}
        else:
            all_frames = self.frames(corpus.waves, corpus.fingerprint)
            frames = {part: all_frames[index] for part, index in rows.items()}
        targets = corpus.labels.numbered(corpus.classes)
        parts = {part: Examples({"sound": frames[part]}, targets[index]) for part, index in rows.items()}
        mean, sd = moments(frames["train"])
        spec = AudioSpec(
            classes=corpus.classes,
            speakers=corpus.speakers.used,
            mean=mean,
            sd=sd,
            counts={part: len(examples) for part, examples in parts.items()},
        )
        return Splits(**parts, source=str(source), fingerprint=corpus.fingerprint, spec=spec)

    def build_model(self, encoder: Encoder) -> keras.Model:
        """Builds the model.

        Returns:
            A model of `sound`, `(batch, frames, features)`, and `mask`, `(batch, frames)`, whose output is the
            logits, `(batch, classes)`.
        """
        inputs, x, mask = self.steps()
        x, _ = encoder(x, mask=mask)
        x = Pooling(self.options.pooling, name="pooling")(x, mask=mask)
        x = keras.layers.Dropout(self.options.dropout)(x)
        logits = keras.layers.Dense(len(self.classes), dtype="float32", name="logits")(x)
        return keras.Model(list(inputs.values()), logits, name=self.name)

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> FrameBatches:
        return FrameBatches(examples, batch_size, None, shuffle, seed, shift=self.options.shift)

    def predict_logits(self, model: keras.Model, batches: FrameBatches) -> FloatArray:
        return bucketed_logits(model, batches, len(self.classes))

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        def linear() -> Baseline:
            from sklearn.preprocessing import StandardScaler

            return logistic_regression(
                (over_time(splits.train.inputs["sound"]), splits.train.targets),
                over_time(splits.test.inputs["sound"]),
                len(self.classes),
                lambda logits: classification_scores(logits, splits.test.targets),
                before=[StandardScaler()],
                max_iter=2000,
            )

        return {"logistic regression": linear}

    def plots(self, model: keras.Model, batches: FrameBatches) -> Iterator[tuple[str, Any]]:
        targets = batches.examples.targets
        return class_pictures(self.name, self.predict_logits(model, batches), targets, self.classes, "test recordings")

    def predict(self, model: keras.Model, inputs: Sequence[str], options: Any) -> list[dict[str, Any]]:
        examples = Examples({"sound": self.heard(inputs, "seven.wav")}, np.zeros(len(inputs)))
        predicted = np.exp(log_softmax(self.predict_logits(model, FrameBatches(examples, 32, MAX_BATCH_FRAMES))))
        return [class_row({"recording": name}, self.classes, p) for name, p in zip(inputs, predicted, strict=True)]


def moments(frames: Frames) -> tuple[list[float], list[float]]:
    """Returns mean and standard deviation of each feature over all frames.

    The standard deviation of a constant feature is 1, so that one can divide by it.
    """
    if isinstance(frames.values, np.memmap):
        total = sum(block.sum(axis=0, dtype=np.float64) for block in blocks_of(frames.values))
        mean = np.asarray(total) / len(frames.values)
        squares = sum(np.square(block - mean).sum(axis=0) for block in blocks_of(frames.values))
        sd = np.sqrt(np.asarray(squares) / len(frames.values))
    else:
        mean, sd = frames.values.mean(axis=0, dtype=np.float64), frames.values.std(axis=0, dtype=np.float64)
    return mean.tolist(), np.where(sd > 1e-6, sd, 1).tolist()


def over_time(frames: Frames) -> FloatArray:
    """Returns mean and standard deviation over time, `(recordings, 2 · features)`."""
    rows = [frames.row(i) for i in range(len(frames))]
    return np.array([np.concatenate([row.mean(axis=0), row.std(axis=0)]) for row in rows])
