"""Texts for language models from any source, and their splits."""

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

Parts = Mapping[str, tuple[Text, int, int | None]]  # of each split: a text, its first character, the one after its last
Split = Literal["own", "nanogpt"]
NAMES = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class LanguageSpec(VocabularySpec):
    """Facts about the text of a language model.

    Attributes:
        vocabulary: Vocabulary of the training text, `Vocabulary.to_text()`.
        size: Number of tokens of the vocabulary.
        tokens: Number of tokens of each split.

    Example:
        >>> from seqtasks.data.text.vocabulary import Vocabulary
        >>> from seqtasks.task_types import LanguageSpec
        >>> letters = Vocabulary.train("characters", ["hello"])
        >>> spec = LanguageSpec(vocabulary=letters.to_text(), size=len(letters), tokens={"train": 5})
        >>> spec.size, spec.to_vocabulary().kind  # h, e, l, o and <unk>
        (5, 'characters')
    """

    tokens: Mapping[str, int]


def load(source: Source, split: Split = "own", **vocabulary: Any) -> Splits:
    """The splits of a source as token numbers; the vocabulary is that of the training split.

    `source.limit` and `source.limit_test` count characters here: of the text for training and validation, or of
    each of the two where they are separate, and of the test text.

    Args:
        source: tfds with a feature `text`, files, or the built-in text.
        split: `"own"`: the source's; a text without any is cut 90 : 5 : 5. `"nanogpt"`: the
            first 90 % of all text for training, the last 10 % for both validation and test,
            as https://github.com/karpathy/nanoGPT has it.
        vocabulary: settings of `Vocabulary.train`.

    Raises:
        DataError: no text, too little, or not UTF-8.
    """
    name, parts = _parts(source, split)
    return numbered(name, _limited(parts, source), **vocabulary)


def numbered(source: str, parts: Parts, **vocabulary: Any) -> Splits:
    """Texts as token numbers; the vocabulary is that of the training split.

    Args:
        source: its name.
        parts: `train`, `validation` and `test`.
        vocabulary: settings of `Vocabulary.train`.

    Raises:
        DataError: too little text, or not UTF-8.
    """
    for part, (text, start, stop) in parts.items():
        if (stop if stop is not None else len(text)) - start < 3:
            raise DataError(f"{source}: the {part} split has fewer than 3 characters; give more text")
    known = token_cache.vocabulary_of(*parts["train"], **vocabulary)
    examples: dict[str, Examples] = {}
    for part, (text, start, stop) in parts.items():
        numbers = token_cache.encode(text, known, start, stop)
        if len(numbers) < 2:
            raise DataError(f"{source}: the {part} split has {len(numbers)} tokens; it needs 2 or more; give more text")
        examples[part] = next_tokens(numbers)
    tokens = {part: len(rows) + 1 for part, rows in examples.items()}
    spec = LanguageSpec(vocabulary=known.to_text(), size=len(known), tokens=tokens)
    digests = "-".join(dict.fromkeys(text.digest for text, _, _ in parts.values()))
    return Splits(**examples, source=source, fingerprint=digests[:50], spec=spec)


def _parts(source: Source, split: Split) -> tuple[str, Parts]:
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
    """The reference of the Python language, which every Python carries, each paragraph once.

    Some stand there several times: a test text of which a sixth is copied from training tells how well a method copies.
    """
    from pydoc_data.topics import topics

    paragraphs = "\n\n".join(str(text).strip() for _, text in sorted(topics.items())).split("\n\n")
    once: dict[str, str] = {}
    for paragraph in paragraphs:
        once.setdefault(" ".join(paragraph.split()), paragraph)
    return "\n\n".join(once.values()) + "\n"


def _limited(parts: Parts, source: Source) -> Parts:
    """The parts cut to the limits; a text that is cut into training and validation keeps their proportion."""
    if source.limit is None and source.limit_test is None:
        return parts
    ends = {part: len(text) if stop is None else stop for part, (text, _, stop) in parts.items()}
    starts = {part: start for part, (_, start, _) in parts.items()}
    if source.limit is not None and parts["train"][0] is parts["validation"][0]:  # one text, validation behind training
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
    """The text of each split, or of all of them as one."""
    if source.kind == "tfds":
        has = NAMES if source.name == "tiny_shakespeare" else ("train", "test")
        arrays = tfds.load(source, has, ["text"])
        splits = {part: tfds.texts(arrays, f"{part}/text") for part in has}
        if "validation" not in splits:  # many texts, each a line; of those for training one in twenty is held out
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
            "give all three, or any other names for one text that is cut into splits"
        )
    return {part: Text([path]) for part, path in paths.items()}
