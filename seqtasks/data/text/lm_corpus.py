"""Loads text for language models from any source, as token numbers in splits."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from seqtasks.core.errors import DataError
from seqtasks.data import tfds
from seqtasks.data.source import Source
from seqtasks.data.splits import Examples, Splits
from seqtasks.data.text import token_cache
from seqtasks.data.text.bptt_batches import next_tokens
from seqtasks.data.text.reader import Text, find_files
from seqtasks.data.text.vocabulary import VocabularySpec

Parts = Mapping[str, tuple[Text, int, int | None]]  # text, first character and end (None: the end of the text) by split
Split = Literal["own", "nanogpt"]
NAMES = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class LanguageSpec(VocabularySpec):
    """Facts about the text of a language model.

    Attributes:
        vocabulary: Vocabulary of the training text, as JSON of `Vocabulary.to_text`.
        size: Number of tokens in the vocabulary.
        tokens: Number of tokens of each split.

    Example:
        >>> from seqtasks.data.text.vocabulary import Vocabulary
        >>> from seqtasks.task_types import LanguageSpec
        >>> vocabulary = Vocabulary.train("characters", ["abca"])
        >>> counts = {"train": 4, "validation": 2, "test": 2}
        >>> spec = LanguageSpec(vocabulary=vocabulary.to_text(), size=len(vocabulary), tokens=counts)
        >>> spec.size, spec.to_vocabulary().decode([3, 1, 2])
        (4, 'cab')
    """

    tokens: Mapping[str, int]


def load(source: Source, split: Split = "own", **vocabulary: Any) -> Splits:
    """Loads the splits of a source as token numbers, with the vocabulary of the training split.

    `source.limit` and `source.limit_test` are numbers of characters. `source.limit` applies to the text that is
    cut into training and validation, or to each of the two if they are separate texts.

    Args:
        source: A tfds source with the feature `text`, files, or the built-in text.
        split: `"own"`: the splits of the source; a text without splits is cut 90 : 5 : 5. `"nanogpt"`: the
            first 90 % of all text for training, the last 10 % for both validation and test, as in
            https://github.com/karpathy/nanoGPT.
        vocabulary: Arguments of `Vocabulary.train`.

    Raises:
        DataError: There is no text, the text of a split is too short, or a file is not UTF-8.
    """
    name, parts = _parts(source, split)
    return numbered(name, _limited(parts, source), **vocabulary)


def numbered(source: str, parts: Parts, **vocabulary: Any) -> Splits:
    """Encodes texts as token numbers, with the vocabulary of the training split.

    Args:
        source: Text of the data source.
        parts: Texts of `train`, `validation` and `test`.
        vocabulary: Arguments of `Vocabulary.train`.

    Raises:
        DataError: The text of a split is too short, or a file is not UTF-8.
    """
    for part, (text, start, stop) in parts.items():
        if (stop if stop is not None else len(text)) - start < 3:
            raise DataError(f"{source}: the {part} split has fewer than 3 characters; give more text")
    trained = token_cache.vocabulary_of(*parts["train"], **vocabulary)
    examples: dict[str, Examples] = {}
    for part, (text, start, stop) in parts.items():
        numbers = token_cache.encode(text, trained, start, stop)
        if len(numbers) < 2:
            raise DataError(f"{source}: the {part} split has {len(numbers)} tokens; allowed: 2 or more; give more text")
        examples[part] = next_tokens(numbers)
    tokens = {part: len(rows) + 1 for part, rows in examples.items()}
    spec = LanguageSpec(vocabulary=trained.to_text(), size=len(trained), tokens=tokens)
    digests = "-".join(dict.fromkeys(text.digest for text, _, _ in parts.values()))
    return Splits(**examples, source=source, fingerprint=digests[:50], spec=spec)


def _parts(source: Source, split: Split) -> tuple[str, Parts]:
    """The text of a source for result rows, and its texts by split."""
    name, texts = str(source), _texts(source)
    if source.kind == "builtin":
        name += f" of Python {platform.python_version()}"
    if split == "nanogpt":
        whole = Text([part for text in texts.values() for part in text.parts])
        cut = int(len(whole) * 0.9)
        return name, {"train": (whole, 0, cut), "validation": (whole, cut, None), "test": (whole, cut, None)}
    if len(texts) > 1:
        return name, {part: (text, 0, None) for part, text in texts.items()}
    (whole,) = texts.values()
    first, second = int(len(whole) * 0.9), int(len(whole) * 0.95)
    return name, {"train": (whole, 0, first), "validation": (whole, first, second), "test": (whole, second, None)}


def _reference() -> str:
    """The reference of the Python language from the standard library, each paragraph once.

    Some paragraphs occur several times. With them, a sixth of the test text would be copied from the training
    text, and the score would measure copying.
    """
    from pydoc_data.topics import topics

    paragraphs = "\n\n".join(str(text).strip() for _, text in sorted(topics.items())).split("\n\n")
    distinct: dict[str, str] = {}
    for paragraph in paragraphs:
        distinct.setdefault(" ".join(paragraph.split()), paragraph)
    return "\n\n".join(distinct.values()) + "\n"


def _limited(parts: Parts, source: Source) -> Parts:
    """Cuts the parts to the limits; training and validation of one text keep their proportion."""
    if source.limit is None and source.limit_test is None:
        return parts
    ends = {part: len(text) if stop is None else stop for part, (text, _, stop) in parts.items()}
    starts = {part: start for part, (_, start, _) in parts.items()}
    if source.limit is not None and parts["train"][0] is parts["validation"][0]:  # validation follows training
        share = (ends["train"] - starts["train"]) / (ends["validation"] - starts["train"])
        whole = min(source.limit, ends["validation"] - starts["train"])
        ends["train"] = starts["validation"] = starts["train"] + round(whole * share)
        ends["validation"] = starts["train"] + whole
    elif source.limit is not None:
        for part in ("train", "validation"):
            ends[part] = min(ends[part], starts[part] + source.limit)
    if source.limit_test is not None:
        ends["test"] = min(ends["test"], starts["test"] + source.limit_test)
    return {part: (text, starts[part], ends[part]) for part, (text, _, _) in parts.items()}


def _texts(source: Source) -> dict[str, Text]:
    """The texts of a source by split; a text without splits has the name `all`."""
    if source.kind == "tfds":
        names = NAMES if source.name == "tiny_shakespeare" else ("train", "test")
        arrays = tfds.load(source, names, ["text"])
        splits = {part: tfds.texts(arrays, f"{part}/text") for part in names}
        if "validation" not in splits:  # each text becomes a line; one in twenty of the training texts is held out
            splits = {part: [text.replace("\n", " ") + "\n" for text in texts] for part, texts in splits.items()}
            cut = len(splits["train"]) * 19 // 20
            splits |= {"train": splits["train"][:cut], "validation": splits["train"][cut:]}
        return {part: Text(splits[part]) for part in NAMES}
    if source.kind == "builtin":
        return {"all": Text([_reference()])}
    assert source.folder is not None
    layout = {"train": "train.txt", "validation": "valid.txt", "test": "test.txt"}
    paths = {part: source.folder / file for part, file in layout.items() if (source.folder / file).is_file()}
    if not paths:
        return {"all": Text(find_files(source.folder))}
    if missing := [file for part, file in layout.items() if part not in paths]:
        raise DataError(
            f"{source.folder} has {', '.join(path.name for path in paths.values())} but not {', '.join(missing)}; "
            "give all three, or files with other names for one text that is cut into splits"
        )
    return {part: Text([path]) for part, path in paths.items()}
