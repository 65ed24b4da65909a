"""Speech recognition of word strings: data, model, CTC, decoding, error rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from seqtasks.core.arrays import FloatArray
from seqtasks.core.errors import ConfigError
from seqtasks.core.settings import setting
from seqtasks.data.audio import recordings
from seqtasks.data.audio.digit_strings import VERSION, Composer, StringBatches
from seqtasks.data.audio.frame_batches import FrameBatches, Frames
from seqtasks.data.bucketing import Ragged
from seqtasks.data.cache import cached, fingerprint
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.decoding import ctc
from seqtasks.decoding.ctc import Labels
from seqtasks.layers.encoder import Encoder
from seqtasks.layers.metrics import log_softmax
from seqtasks.layers.speech import CTCHead, TimeReduction, joined_mask
from seqtasks.task_types.audio_classification.task import (
    MOST_FRAMES,
    SoundOptions,
    SoundSpec,
    SoundTask,
    moments,
)
from seqtasks.task_types.base import Baseline
from seqtasks.task_types.speech_recognition.baselines import isolated_words
from seqtasks.task_types.speech_recognition.plots import by_length, mistakes, posteriors

LEAST = -14.0  # log-probability that a label has at a step where the search tries it
NUMBERS = {"train": 0, "validation": 1, "test": 2}  # of the splits, as the composer counts them


@dataclass(frozen=True)
class StringOptions(SoundOptions):
    """The strings, how they are heard, and how labels are read off."""

    strings: int = setting(2000, "number of training strings composed in each epoch", ge=1)
    tests: int = setting(500, "number of validation strings, and of test strings", ge=1)
    max_length: int = setting(7, "maximum number of words of a string", ge=1)
    gap: float = setting(0.3, "maximum silence between words in seconds", ge=0)
    voices: Literal["one", "mixed"] = setting("one", "speakers of a string: one or several")
    pyramid: int = setting(
        0,
        "number of pyramidal layers below the encoder, each halving the number of time steps (Chan et al. 2016)",
        ge=0,
        affects_data=False,
    )
    num_beams: int = setting(8, "number of prefixes kept in the CTC beam search", ge=1, affects_data=False)
    lm_weight: float = setting(
        0.0, "weight of the n-gram language model in the search; 0: none", ge=0, affects_data=False
    )
    lm_order: int = setting(2, "order n of the n-gram language model", ge=1, affects_data=False)
    label_bonus: float = setting(0.0, "bonus for each predicted label in nats", affects_data=False)


@dataclass(frozen=True)
class StringPredictOptions:
    """How labels are read off."""

    num_beams: int | None = setting(None, "number of beams; null: as in training", ge=1)
    lm_weight: float | None = setting(None, "weight of the language model; null: as in training", ge=0)


@dataclass(frozen=True, kw_only=True)
class StringSpec(SoundSpec):
    """Facts about strings of spoken words.

    Attributes:
        classes: The words, in the order of their numbers.
        mean: Mean of each band over the frames of the training split, (features,).
        sd: Standard deviation of each band over them, (features,); 1 where a band never changes.
        strings: Labels of the training strings of the first epoch, each 1 + the number of a word; of these the
            language model counts n-grams.
        counts: Number of strings of each split.
    """

    strings: Sequence[Sequence[int]]
    counts: Mapping[str, int]  # declared again: the run folder keeps the order


class CTCTask(SoundTask):
    """The words of a string, in order; nobody says when each is spoken."""

    higher_is_better = False
    unit = "strings"
    Options = StringOptions
    options: StringOptions
    PredictOptions = StringPredictOptions
    Spec = StringSpec
    spec: StringSpec

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        corpus = recordings.load(source.whole(), o.rate)  # limits count strings, which are composed of the recordings
        rows = recordings.split(corpus, o.speaker)
        settings = (o.max_length, o.gap, o.voices == "mixed")
        composers = {part: Composer(corpus, index, *settings) for part, index in rows.items()}
        for composer in composers.values():
            self._check_length(composer)
        self._composer, self._recordings, self._rows = composers["train"], corpus, rows
        spectra, description = self.spectra, f"{corpus.fingerprint} {o.speaker} {settings} {o.tests} v{VERSION}"

        def make() -> dict[str, np.ndarray]:
            arrays: dict[str, np.ndarray] = {}
            for part, composer in composers.items():  # those of training give the moments of frames only
                frames, labels = composer.examples(spectra, NUMBERS[part], o.tests)
                arrays |= {f"{part}/frames": frames.values, f"{part}/ends": frames.ends}
                arrays |= {f"{part}/labels": labels.values, f"{part}/words": labels.ends}
            return arrays

        arrays = cached(f"{spectra} of strings of {description}", make).arrays
        parts = {
            part: Examples(
                {"sound": Frames(arrays[f"{part}/frames"], arrays[f"{part}/ends"])},
                Ragged(arrays[f"{part}/labels"], arrays[f"{part}/words"]),
            )
            for part in NUMBERS
        }
        mean, sd = moments(parts["train"].inputs["sound"])
        places = np.arange(o.strings)
        parts["train"] = Examples({"place": places}, places)
        first = [self._composer.recipe(1, 0, 0, n) for n in range(o.strings)]
        spec = StringSpec(
            classes=corpus.classes,
            mean=mean,
            sd=sd,
            strings=[self._composer.labels(recipe) for recipe in first],
            counts={part: len(examples) for part, examples in parts.items()},
        )
        data = {name: arrays[name] for name in arrays if not name.startswith("train")}
        digest = fingerprint(data | {"recordings": np.frombuffer(corpus.fingerprint.encode(), np.uint8)})
        return Splits(**parts, source=str(source), fingerprint=digest, spec=spec)

    def _check_length(self, composer: Composer) -> None:
        """A string that has fewer steps than CTC needs would have an infinite loss.

        Raises:
            ConfigError: so many steps are joined that there could be one.
        """
        o, factor = self.options, self.options.join * 2**self.options.pyramid
        for words in range(1, o.max_length + 1):
            steps, needed = -(-int(self.spectra.count(words * composer.shortest)) // factor), 2 * words - 1
            if steps < needed:
                seconds = composer.shortest / o.rate
                raise ConfigError(
                    f"options.join={o.join} and options.pyramid={o.pyramid} leave {steps} steps for {words} times the "
                    f"shortest word, of {seconds:.2f} s; CTC needs {needed}, a step for each and a blank between; set "
                    "options.join or options.pyramid lower, or options.hop shorter"
                )

    def build_model(self, encoder: Encoder) -> keras.Model:
        """Frames (batch, time, width) and their mask to logits (batch, steps, 1 + labels), see `CTCHead`."""
        inputs, x, mask = self.steps()
        one = dataclasses.replace(encoder.config, layers=1, last_units=None, match=None)
        for level in range(self.options.pyramid):
            x, _ = Encoder(one, name=f"below_{level}")(x, mask=mask)
            x, mask = TimeReduction(2)(x, mask=mask), joined_mask(mask, 2)
        x, _ = encoder(x, mask=mask)
        x = keras.layers.Dropout(self.options.dropout)(x)
        logits = CTCHead(len(self.classes), name="logits")(x, mask=mask)
        return keras.Model(list(inputs.values()), logits, name=self.name)

    def loss(self) -> Any:
        return keras.losses.CTC()

    def metrics(self) -> list[Any]:
        return []

    def callbacks(self, validation: FrameBatches) -> list[keras.callbacks.Callback]:
        return [GreedyErrorRate(self, validation)]

    def batches(
        self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0
    ) -> StringBatches | FrameBatches:
        if "place" in examples.inputs:
            return StringBatches(examples, self._composer, self.spectra, batch_size, seed)
        return FrameBatches(examples, batch_size, None, shuffle, seed)

    def outputs(self, model: keras.Model, batches: FrameBatches) -> tuple[list[FloatArray], float]:
        """Log-probabilities (steps, 1 + labels) of each row, and the mean loss of all."""
        outputs: list[FloatArray] = [np.zeros((0, 0))] * len(batches.examples)
        factor, total = self.options.join * 2**self.options.pyramid, 0.0
        for index in range(len(batches)):
            inputs, targets = batches[index]
            logits = model.predict_on_batch(inputs)
            total += float(np.sum(ops.convert_to_numpy(keras.losses.ctc(ops.convert_to_tensor(targets), logits))))
            for i, row in enumerate(batches.rows(index)):
                outputs[row] = log_softmax(logits[i, : -(-int(inputs["mask"][i].sum()) // factor)])
        return outputs, total / max(1, len(outputs))

    def read(self, outputs: Sequence[FloatArray], options: Any = None) -> list[tuple[Labels, float]]:
        """The best labels of each row by search, and their scores.

        Args:
            outputs: (steps, 1 + labels) of each row.
            options: `beams`, `lm_weight`, `lm_order` and `label_bonus`; None: the task's.
        """
        o = options or self.options
        language = ctc.ngram(self.spec.strings, len(self.classes), o.lm_order) if o.lm_weight else None
        return [ctc.prefix_beam_search(p, o.num_beams, language, o.lm_weight, o.label_bonus, LEAST)[0] for p in outputs]

    def score(self, model: keras.Model, batches: FrameBatches) -> dict[str, float]:
        outputs, nll = self.outputs(model, batches)
        true = labels_of(batches.examples)
        beam, plain = [labels for labels, _ in self.read(outputs)], [ctc.greedy(p) for p in outputs]
        return {
            "der": ctc.error_rate(true, beam),
            "der_greedy": ctc.error_rate(true, plain),
            "exact": ctc.exact(true, beam),
            "exact_greedy": ctc.exact(true, plain),
            "nll": nll,
        }

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        def segments() -> Baseline:
            words, rows = self._recordings, self._rows["train"]
            single = Frames.stack([self.spectra(words.waves.row(i)) for i in rows], self.spectra.width)
            targets = recordings.numbers_of([words.labels[i] for i in rows], words.classes) + 1
            predicted, size = isolated_words(single, targets, splits.test.inputs["sound"], self.options.hop)
            true = labels_of(splits.test)
            return Baseline({"der": ctc.error_rate(true, predicted), "exact": ctc.exact(true, predicted)}, size)

        return {"pauses + logistic regression": segments}

    def plots(self, model: keras.Model, batches: FrameBatches) -> Iterator[tuple[str, Any]]:
        outputs, _ = self.outputs(model, batches)
        true, predicted = labels_of(batches.examples), [labels for labels, _ in self.read(outputs)]
        yield "mistakes", mistakes(true, predicted, self.classes, self.name)
        yield "lengths", by_length(true, predicted)
        shown = int(np.argmax([len(row) for row in true]))
        step = self.options.hop / 1000 * self.options.join * 2**self.options.pyramid
        yield "posteriors", posteriors(outputs[shown], true[shown], self.classes, step)

    def predict(self, model: keras.Model, inputs: Sequence[str], options: StringPredictOptions) -> list[dict[str, Any]]:
        examples = Examples({"sound": self.heard(inputs, "phone_number.wav")}, Ragged.of([[]] * len(inputs)))
        outputs, _ = self.outputs(model, FrameBatches(examples, 32, MOST_FRAMES))
        changes = {name: value for name, value in dataclasses.asdict(options).items() if value is not None}
        predicted = self.read(outputs, dataclasses.replace(self.options, **changes))
        return [
            {"recording": name, "answer": " ".join(self.classes[n - 1] for n in labels), "score": score}
            for name, (labels, score) in zip(inputs, predicted, strict=True)
        ]


def labels_of(examples: Examples) -> list[Labels]:
    """The targets as tuples."""
    return [tuple(examples.targets.row(i).tolist()) for i in range(len(examples))]


class GreedyErrorRate(keras.callbacks.Callback):
    """Adds `val_der`, that of the likeliest paths, to what an epoch tells.

    Args:
        task: which scores.
        validation: its batches.
    """

    def __init__(self, task: CTCTask, validation: FrameBatches):
        super().__init__()
        self.task, self.validation = task, validation

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        outputs, _ = self.task.outputs(self.model, self.validation)
        if logs is not None:
            true = labels_of(self.validation.examples)
            logs["val_der"] = ctc.error_rate(true, [ctc.greedy(p) for p in outputs])
