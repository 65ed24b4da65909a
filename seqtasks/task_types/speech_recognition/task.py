"""Speech recognition task for strings of words: data, model, CTC, decoding, error rates."""

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
    MAX_BATCH_FRAMES,
    SoundOptions,
    SoundSpec,
    SoundTask,
    moments,
)
from seqtasks.task_types.base import TEXT_SAMPLES, Baseline
from seqtasks.task_types.speech_recognition.baselines import isolated_words
from seqtasks.task_types.speech_recognition.plots import by_length, mistakes, posteriors, worst_strings

MIN_LOG_P = -14.0  # log-probability at or below which the search does not try a label
SPLIT_NUMBERS = {"train": 0, "validation": 1, "test": 2}  # by which the composer seeds the strings of a split


@dataclass(frozen=True)
class StringOptions(SoundOptions):
    """Options of speech recognition: composition of strings, features, model and CTC search.

    Example:
        >>> from seqtasks.task_types import StringOptions
        >>> options = StringOptions(max_length=3, pyramid=1)
        >>> options.num_beams, options.lm_weight
        (8, 0.0)
    """

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
    """Options of `predict`: CTC beam search."""

    num_beams: int | None = setting(None, "number of beams; null: as in training", ge=1)
    lm_weight: float | None = setting(None, "weight of the language model; null: as in training", ge=0)


@dataclass(frozen=True, kw_only=True)
class StringSpec(SoundSpec):
    """Facts about strings of spoken words, as the run folder stores them.

    Attributes:
        classes: Words, in the order of their numbers.
        mean: Mean of each feature over the frames of the training split, `(features,)`.
        sd: Standard deviation of each feature over these frames, `(features,)`; 1 for a constant feature.
        strings: Labels of the training strings of the first epoch, each 1 + the number of a word; the n-gram
            language model is fitted on them.
        counts: Number of strings of each split.

    Example:
        >>> from seqtasks.task_types import StringSpec
        >>> spec = StringSpec(classes=["no", "yes"], mean=[0.5], sd=[1.0], strings=[[1, 2, 2]], counts={"train": 1})
        >>> [spec.classes[label - 1] for label in spec.strings[0]]
        ['no', 'yes', 'yes']
    """

    strings: Sequence[Sequence[int]]
    counts: Mapping[str, int]  # repeated, because the run folder stores the fields in the order of declaration


class CTCTask(SoundTask):
    """Base class of tasks that recognize the words of a recording, trained with CTC.

    The data has no word times: the loss sums over all alignments. Outputs are the blank and the labels; at masked
    steps the blank has probability 1, so padding changes neither the loss nor the decoded labels.

    Reference: Graves et al. 2006, https://doi.org/10.1145/1143844.1143891

    Example:
        >>> from seqtasks.task_types import CTCTask
        >>> class Commands(CTCTask):  # in a plugin file, below @register_task("commands")
        ...     topology, metric, builtin = "many-to-many", "der", "syllables"
        >>> Commands.sources(), Commands.higher_is_better
        (['files:DIR', 'builtin:syllables'], False)
    """

    higher_is_better = False
    hub_task = "automatic-speech-recognition"
    unit = "strings"
    Options = StringOptions
    options: StringOptions
    PredictOptions = StringPredictOptions
    Spec = StringSpec
    spec: StringSpec

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        corpus = recordings.load(source.whole(), o.rate)  # `data.limit` counts strings, not recordings
        rows = recordings.split(corpus, o.speaker)
        settings = (o.max_length, o.gap, o.voices == "mixed")
        composers = {part: Composer(corpus, index, *settings) for part, index in rows.items()}
        for composer in composers.values():
            self._check_length(composer)
        self._composer, self._recordings, self._rows = composers["train"], corpus, rows
        spectra, description = self.spectra, f"{corpus.fingerprint} {o.speaker} {settings} {o.tests} v{VERSION}"

        def make() -> dict[str, np.ndarray]:
            arrays: dict[str, np.ndarray] = {}
            for part, composer in composers.items():  # training strings are used only for mean and deviation
                frames, labels = composer.examples(spectra, SPLIT_NUMBERS[part], o.tests)
                arrays |= {f"{part}/frames": frames.values, f"{part}/ends": frames.ends}
                arrays |= {f"{part}/labels": labels.values, f"{part}/words": labels.ends}
            return arrays

        arrays = cached(f"{spectra} of strings of {description}", make).arrays
        parts = {
            part: Examples(
                {"sound": Frames(arrays[f"{part}/frames"], arrays[f"{part}/ends"])},
                Ragged(arrays[f"{part}/labels"], arrays[f"{part}/words"]),
            )
            for part in SPLIT_NUMBERS
        }
        mean, sd = moments(parts["train"].inputs["sound"])
        numbers = np.arange(o.strings)
        parts["train"] = Examples({"place": numbers}, numbers)  # composed anew in each epoch from these numbers
        first_epoch = [self._composer.recipe(1, 0, 0, n) for n in range(o.strings)]
        spec = StringSpec(
            classes=corpus.classes,
            mean=mean,
            sd=sd,
            strings=[self._composer.labels(recipe) for recipe in first_epoch],
            counts={part: len(examples) for part, examples in parts.items()},
        )
        data = {name: arrays[name] for name in arrays if not name.startswith("train")}
        digest = fingerprint(data | {"recordings": np.frombuffer(corpus.fingerprint.encode(), np.uint8)})
        return Splits(**parts, source=str(source), fingerprint=digest, spec=spec)

    def _check_length(self, composer: Composer) -> None:
        """Checks that every string can have the steps that CTC needs.

        With fewer steps the loss would be infinite.

        Raises:
            ConfigError: So many frames are joined that a string could have too few steps.
        """
        o, factor = self.options, self.options.join * 2**self.options.pyramid
        for words in range(1, o.max_length + 1):
            steps, needed = -(-int(self.spectra.count(words * composer.shortest)) // factor), 2 * words - 1
            if steps < needed:
                seconds = composer.shortest / o.rate
                raise ConfigError(
                    f"options.join={o.join} and options.pyramid={o.pyramid} leave {steps} steps for {words} times the "
                    f"shortest word, of {seconds:.2f} s; CTC needs {needed}, one for each word and one for each blank "
                    "between them; set options.join or options.pyramid lower, or options.hop shorter"
                )

    def build_model(self, encoder: Encoder) -> keras.Model:
        """Builds the model: features, `(batch, frames, features)`, and their mask to logits.

        Returns:
            A model whose output is `(batch, steps, 1 + labels)`, see `CTCHead`.
        """
        inputs, x, mask = self.steps()
        single_layer = encoder.config.first_layer()
        for level in range(self.options.pyramid):
            x, _ = Encoder(single_layer, name=f"below_{level}")(x, mask=mask)
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
        """Runs the model on a split.

        Returns:
            Log-probabilities of the valid steps of each row, `(steps, 1 + labels)`, and the mean CTC loss of a row.
        """
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
        """Decodes by CTC prefix beam search.

        Args:
            outputs: Log-probabilities of each row, `(steps, 1 + labels)`.
            options: Options with `num_beams`, `lm_weight`, `lm_order` and `label_bonus`; None: those of the task.

        Returns:
            The best labels of each row and their score.
        """
        o = options or self.options
        language = ctc.ngram(self.spec.strings, len(self.classes), o.lm_order) if o.lm_weight else None
        return [
            ctc.prefix_beam_search(p, o.num_beams, language, o.lm_weight, o.label_bonus, MIN_LOG_P)[0] for p in outputs
        ]

    def score(self, model: keras.Model, batches: FrameBatches) -> dict[str, float]:
        outputs, nll = self.outputs(model, batches)
        true = labels_of(batches.examples)
        beam, greedy = [labels for labels, _ in self.read(outputs)], [ctc.greedy(p) for p in outputs]
        if self.metric == "der":
            self.keep_outputs([[ctc.edits(a, b), len(a)] for a, b in zip(true, beam, strict=True)])
        return {
            "der": ctc.error_rate(true, beam),
            "der_greedy": ctc.error_rate(true, greedy),
            "exact": ctc.exact(true, beam),
            "exact_greedy": ctc.exact(true, greedy),
            "nll": nll,
        }

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        def segments() -> Baseline:
            corpus, rows = self._recordings, self._rows["train"]
            single = Frames.stack([self.spectra(corpus.waves.row(i)) for i in rows], self.spectra.width)
            targets = corpus.labels.numbered(corpus.classes)[rows] + 1
            predicted, size = isolated_words(single, targets, splits.test.inputs["sound"], self.options.hop)
            true = labels_of(splits.test)
            return Baseline({"der": ctc.error_rate(true, predicted), "exact": ctc.exact(true, predicted)}, size)

        return {"pauses + logistic regression": segments}

    def text_samples(self, model: keras.Model, batches: FrameBatches) -> dict[str, str]:
        """Returns strings of greedy decoding for the first recordings, above the true ones."""
        examples = batches.examples.take(np.arange(min(TEXT_SAMPLES, len(batches.examples))))
        outputs, _ = self.outputs(model, FrameBatches(examples, len(examples)))
        pairs = zip(map(ctc.greedy, outputs), labels_of(examples), strict=True)
        names = [[" ".join(self.classes[n - 1] for n in labels) for labels in pair] for pair in pairs]
        return {"predictions": "\n\n".join(f"predicted: {predicted}\ntrue: {true}" for predicted, true in names)}

    def plots(self, model: keras.Model, batches: FrameBatches) -> Iterator[tuple[str, Any]]:
        outputs, _ = self.outputs(model, batches)
        true, predicted = labels_of(batches.examples), [labels for labels, _ in self.read(outputs)]
        yield "mistakes", mistakes(true, predicted, self.classes, self.name)
        yield "lengths", by_length(true, predicted)
        if true != predicted:
            yield "worst_errors", worst_strings(true, predicted, self.classes)
        longest = int(np.argmax([len(row) for row in true]))
        step = self.options.hop / 1000 * self.options.join * 2**self.options.pyramid
        yield "posteriors", posteriors(outputs[longest], true[longest], self.classes, step)

    def predict(self, model: keras.Model, inputs: Sequence[str], options: StringPredictOptions) -> list[dict[str, Any]]:
        examples = Examples({"sound": self.heard(inputs, "phone_number.wav")}, Ragged.of([[]] * len(inputs)))
        outputs, _ = self.outputs(model, FrameBatches(examples, 32, MAX_BATCH_FRAMES))
        changes = {name: value for name, value in dataclasses.asdict(options).items() if value is not None}
        predicted = self.read(outputs, dataclasses.replace(self.options, **changes))
        return [
            {"recording": name, "answer": " ".join(self.classes[n - 1] for n in labels), "score": score}
            for name, (labels, score) in zip(inputs, predicted, strict=True)
        ]


def labels_of(examples: Examples) -> list[Labels]:
    """Returns the target labels of each example as a tuple."""
    return [tuple(examples.targets.row(i).tolist()) for i in range(len(examples))]


class GreedyErrorRate(keras.callbacks.Callback):
    """Callback that adds `val_der`, the greedy validation error rate, to the logs.

    Args:
        task: Task that runs the model.
        validation: Batches of the validation split.
    """

    def __init__(self, task: CTCTask, validation: FrameBatches):
        super().__init__()
        self.task, self.validation = task, validation

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        outputs, _ = self.task.outputs(self.model, self.validation)
        if logs is not None:
            true = labels_of(self.validation.examples)
            logs["val_der"] = ctc.error_rate(true, [ctc.greedy(p) for p in outputs])
