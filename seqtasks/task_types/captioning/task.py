"""Image captioning task: data, model, beam search, scores, attention plots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqtasks.core.arrays import IntArray, PixelArray
from seqtasks.core.settings import setting
from seqtasks.data.bucketing import Buckets, Ragged
from seqtasks.data.image import captions
from seqtasks.data.image.files import load_image
from seqtasks.data.seq2seq_batches import END, shifted
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.text.vocabulary import Vocabulary, VocabularySpec
from seqtasks.decoding.seq2seq import Seq2SeqOptions
from seqtasks.layers.encoder import Encoder
from seqtasks.task_types.base import Baseline
from seqtasks.task_types.captioning.model import Captioner, caption_model
from seqtasks.task_types.common.plots import attention_pictures, export_figure
from seqtasks.task_types.common.steps import Steps, sentence_properties
from seqtasks.task_types.image_classification.task import ImagePredictOptions, check_images
from seqtasks.task_types.seq2seq.scores import line_scores
from seqtasks.task_types.seq2seq.task import Seq2SeqPredictOptions, Seq2SeqTask


@dataclass(frozen=True)
class CaptionOptions(Seq2SeqOptions):
    """Options of a captioning task: images, vocabulary and model.

    Example:
        >>> from seqtasks.task_types import CaptionOptions
        >>> options = CaptionOptions(filters=(16, 32))
        >>> options.length, options.num_beams
        (30, 5)
    """

    scenes: int = setting(20_000, "number of generated images of digits in each epoch", ge=1, affects_data=False)
    side: int = setting(96, "height and width in pixels that photographs are scaled to", ge=16, affects_data=False)
    min_frequency: int = setting(1, "minimum frequency of a word in the vocabulary", ge=1, affects_data=False)
    filters: tuple[int, ...] = setting(
        (32, 64, 128), "number of filters of each convolution; each halves height and width", affects_data=False
    )
    length: int = setting(30, "maximum number of words of a generated sentence", ge=1, affects_data=False)


@dataclass(frozen=True)
class CaptionPredictOptions(Seq2SeqPredictOptions, ImagePredictOptions):
    """Options of `predict`: reading of images, beam search and attention plot."""


@dataclass(frozen=True, kw_only=True)
class CaptionSpec(VocabularySpec):
    """Facts about images with captions, as the run folder stores them.

    Attributes:
        vocabulary: Words of the training captions, as `Vocabulary.to_text` returns them.
        size: Vocabulary size, padding and end included.
        shape: Shape of an image, `(height, width)` or `(height, width, colours)`.
        counts: Number of images of each split.

    Example:
        >>> from seqtasks.task_types import CaptionSpec
        >>> words = Vocabulary.train("words", ["a red ball"])
        >>> spec = CaptionSpec(vocabulary=words.to_text(), size=len(words) + 2, shape=(8, 8), counts={"train": 1})
        >>> spec.to_vocabulary().encode("a ball").shape
        (2,)
    """

    shape: Sequence[int]
    counts: Mapping[str, int]


class CaptionBatches(Buckets):
    """Batches of images and captions.

    Inputs are `image`, `(batch, height, width)` or `(batch, height, width, colours)`, and `previous` and `targets`,
    `(batch, time)`, see `data.seq2seq_batches`; the targets follow, and weights that are 0 at padding. Images are
    those of the epoch. If an image has several captions, one is drawn in training, and else the first is taken.
    """

    def measure(self) -> IntArray:
        return np.array([len(tokens[0]) for tokens in self.examples.inputs["tokens"]])

    def collate(self, rows: Examples, extra: int = 0) -> Any:
        epoch = self.epoch if self.shuffle else 0
        tokens = rows.inputs["tokens"]
        if self.shuffle:
            numbers = zip(tokens, rows.inputs["number"], strict=True)
            drawn = [
                sentences[np.random.default_rng((self.seed, epoch, int(n))).integers(len(sentences))]
                for sentences, n in numbers
            ]
        else:
            drawn = [sentences[0] for sentences in tokens]
        # Pad to the longest caption that can be drawn: if all rows are one batch, Keras infers a static width from it.
        extra += max(len(caption) for sentences in tokens for caption in sentences) - max(map(len, drawn))
        previous, targets, weights = shifted(Ragged.of(drawn), extra)
        inputs = {"image": rows.inputs["image"].images(epoch), "previous": previous, "targets": targets}
        return inputs, targets, weights


class CaptionTask(Seq2SeqTask):
    """Base class of image captioning tasks.

    The model has convolutions and a decoder with attention; the scores are BLEU, chrF and exact matches of beam
    search. Padding of the captions has weight 0 in the loss.

    Example:
        >>> from seqtasks.task_types import CaptionTask
        >>> class Scenes(CaptionTask):  # in a plugin file, below @register_task("scenes")
        ...     topology, metric, builtin = "one-to-many", "exact", "digits"
        >>> Scenes.sources()
        ['files:DIR', 'builtin:digits']
    """

    causal = True
    files = True
    unit = "images"
    Options = CaptionOptions
    hub_task = "image-to-text"
    options: CaptionOptions
    PredictOptions = CaptionPredictOptions
    Spec = CaptionSpec
    spec: CaptionSpec
    reads = "paths"
    separate_inputs = True

    def load(self, source: Source, seed: int) -> Splits:
        o = self.options
        counts = {"train": o.scenes, "validation": 1000, "test": 2000}
        captioned = captions.load(source, counts, o.side)
        lines = (line for sentences in captioned.captions["train"] for line in sentences)
        words = Vocabulary.train("words", lines, min_frequency=o.min_frequency, lowercase=True, punctuation=True)
        parts = {}
        for part, sentences in captioned.captions.items():
            tokens, texts = np.empty(len(sentences), object), np.empty(len(sentences), object)
            for i, rows in enumerate(sentences):
                tokens[i] = [np.append(words.encode(line).astype(np.int32) + 2, END) for line in rows]
                texts[i] = rows
            inputs = {"image": captioned.images[part], "tokens": tokens, "number": np.arange(len(sentences))}
            parts[part] = Examples(inputs, texts)
        spec = CaptionSpec(
            vocabulary=words.to_text(),
            size=len(words) + 2,
            shape=captioned.images["train"].shape,
            counts={part: len(examples) for part, examples in parts.items()},
        )
        return Splits(**parts, source=str(source), fingerprint=captioned.fingerprint, spec=spec)

    def build_model(self, encoder: Encoder) -> keras.Model:
        return caption_model(encoder, self.spec.shape, self.spec.size, self.options, self.name)

    def batches(self, examples: Examples, batch_size: int, shuffle: bool = False, seed: int = 0) -> CaptionBatches:
        return CaptionBatches(examples, batch_size, None, shuffle, seed)

    def describe_steps(self, inputs: Any, targets: Any = None) -> Steps:
        """Describes the steps of the decoder by the words that they read, the one before first."""
        tokens, words = np.asarray(inputs["previous"]), self.spec.to_vocabulary()
        lengths = (np.asarray(inputs["targets"]) > 0).sum(axis=1)
        labels = [["<start>", *(words.token(n - 2) if n > END else "" for n in row[1:])] for row in tokens]
        return Steps(labels, " ", tokens, None, sentence_properties(lengths, tokens.shape[1]))

    def writer(self, model: keras.Model, **settings: Any) -> Captioner:
        return Captioner(model, most=self.options.length, **settings)

    def lines(self, writer: Captioner, examples: Examples) -> list[str]:
        return self.texts([best[0].tokens for best in writer(examples.inputs["image"].images(0))])

    def texts(self, rows: Sequence[IntArray]) -> list[str]:
        """Decodes tokens to sentences, without their ends."""
        words = self.spec.to_vocabulary()
        return [words.decode([n - 2 for n in row if n > END]) for row in rows]

    def references(self, examples: Examples) -> list[list[str]]:
        # Normalized as the vocabulary does: lower case, punctuation separated.
        words = self.spec.to_vocabulary()
        return [[words.normalised(text) for text in sentences] for sentences in examples.targets]

    def baselines(self, splits: Splits) -> dict[str, Callable[[], Baseline]]:
        references, train_captions = self.references(splits.test), self.references(splits.train)

        def frequent() -> Baseline:
            lines = [line for row in train_captions for line in row]
            best = max(dict.fromkeys(lines), key=lines.count)
            return Baseline(line_scores([best] * len(references), references), 1, "none")

        def nearest() -> Baseline:
            from sklearn.neighbors import NearestNeighbors

            train, test = (
                np.reshape(part.inputs["image"].images(0), (len(part), -1)) for part in (splits.train, splits.test)
            )
            index = NearestNeighbors(n_neighbors=1).fit(train)
            neighbours = index.kneighbors(test, return_distance=False)[:, 0]
            return Baseline(line_scores([train_captions[i][0] for i in neighbours], references), train.size)

        return {"most frequent sentence": frequent, "nearest neighbour": nearest}

    def predict(
        self, model: keras.Model, inputs: Sequence[str], options: CaptionPredictOptions
    ) -> list[dict[str, Any]]:
        check_images(inputs)
        self.check_attention(options)
        shape = self.spec.shape
        if len(shape) == 2:
            images = np.stack([load_image(Path(name), (shape[0], shape[1]), options.invert)[0] for name in inputs])
        else:
            images = np.stack([captions.read_image(Path(name), shape[0]) for name in inputs])
        writer = self.kept_writer(model, **self.search(options.num_beams, options.n_best))
        hypotheses = writer(images)
        if options.attention is not None:
            figure = self._attention_figure(writer, images[:1], [hypotheses[0][0].tokens])
            export_figure(figure, Path(options.attention))
        texts = [self.texts([hypothesis.tokens for hypothesis in ranked]) for ranked in hypotheses]
        return self.rows("image", inputs, hypotheses, texts)

    @property
    def answer_column(self) -> str:
        return "caption"

    def plots(self, model: keras.Model, batches: CaptionBatches) -> Iterator[tuple[str, Any]]:
        yield from super().plots(model, batches)
        if self.options.attention == "none":
            return
        writer, images = self.writer(model), batches.examples.inputs["image"][:4].images(0)
        yield "attention", self._attention_figure(writer, images, [best[0].tokens for best in writer(images)])

    def _attention_figure(self, writer: Captioner, images: PixelArray, tokens: Sequence[IntArray]) -> Any:
        height, width = writer.grid
        maps = [row[:-1].reshape(-1, height, width) for row in writer.weights(images, None, tokens)]
        words = [self.texts([np.array([n]) for n in row]) for row in tokens]
        return attention_pictures(images, maps, words)
