"""Vocabularies of characters, words or byte-pair units, with the `tokenizers` library."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np

from seqtasks.core.arrays import IntArray
from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.spec import Spec

Kind = Literal["characters", "words", "bpe"]
UNKNOWN, END = "<unk>", "<eos>"
LONGEST = 1000  # number of characters without white space after which a text is cut to train byte-pair units
_BATCH = 256  # number of texts that are encoded at once
_LENGTH = 4096  # number of characters in such a text


class Vocabulary:
    """Vocabulary: maps characters, words or byte-pair units to token numbers and back.

    Unknown units become `<unk>`, number 0; with byte-pair units no unit is unknown. Words are separated by
    white space; a line break is the word `<eos>`.

    Args:
        text: JSON of `to_text`; use `train` to make a new vocabulary.

    Raises:
        DataError: The JSON is damaged.

    Example:
        >>> from seqtasks.data.text.vocabulary import Vocabulary
        >>> words = Vocabulary.train("words", ["a cat and a dog"])
        >>> numbers = words.encode("a cat and a bird")
        >>> numbers, words.decode(numbers)
        (array([2, 4, 3, 2, 0], dtype=int32), 'a cat and a <unk>')
    """

    def __init__(self, text: str):
        from tokenizers import Tokenizer

        try:
            self._tokenizer: Any = Tokenizer.from_str(text)
        except Exception as error:  # the library raises plain Exception
            raise DataError(f"the vocabulary is damaged: {error}; allowed: JSON of tokenizers; train again") from error
        kinds: dict[str, Kind] = {"Fuse": "characters", "ByteLevel": "bpe"}
        self.kind: Kind = kinds.get(type(self._tokenizer.decoder).__name__, "words")
        self._table: IntArray | None = None

    @classmethod
    def train(
        cls,
        kind: Kind,
        texts: Iterable[str],
        size: int | None = None,
        min_frequency: int = 1,
        lowercase: bool = False,
        punctuation: bool = False,
    ) -> Vocabulary:
        """Makes the vocabulary of some texts.

        Args:
            kind: Type of the units: `"characters"`, `"words"` or `"bpe"` (byte-pair units).
            texts: The texts; they may be pieces of a text that are cut between words.
            size: Maximum number of units; None: all, and 4096 byte-pair units.
            min_frequency: Minimum number of occurrences of a unit; rarer units are unknown.
            lowercase: Whether to convert texts to lower case.
            punctuation: Whether punctuation marks are separate words, also without a space between.

        Raises:
            ConfigError: `size` is smaller than 257 for byte-pair units.
        """
        from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

        settings: dict[str, Any] = {"min_frequency": min_frequency, "show_progress": False}
        if kind == "bpe":
            size = size or 4096
            if size < 257:
                raise ConfigError(
                    f"a vocabulary of {size} byte-pair units; allowed: ≥ 257, as each byte is a unit; set a larger "
                    "vocabulary"
                )
            tokenizer = Tokenizer(models.BPE())
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            tokenizer.decoder = decoders.ByteLevel()
            alphabet = pre_tokenizers.ByteLevel.alphabet()
            trainer: trainers.Trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, **settings)
            texts = _short_words(texts)
        else:
            tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
            special = [UNKNOWN]
            if kind == "characters":
                tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
                tokenizer.decoder = decoders.Fuse()
            else:
                # A word is a match of the pattern; the text between matches is dropped. In this library \w includes
                # combining marks, but not the joiners of Persian and Indian scripts, U+200C and U+200D. They are not
                # in brackets with \w, because \w in brackets does not include ½ and ³.
                word = r"\w+(?:[\x{200c}\x{200d}]+\w*)*"
                signs = pre_tokenizers.Split(
                    Regex(rf"{END}|{UNKNOWN}|{word}(?:['’]{word})*|[^\w\s]"), "removed", invert=True
                )
                tokenizer.pre_tokenizer = signs if punctuation else pre_tokenizers.WhitespaceSplit()
                special += [END]
                texts = map(_with_ends, texts)
            trainer = trainers.WordLevelTrainer(vocab_size=(size or 1 << 30) + 2, special_tokens=special, **settings)
        if lowercase:
            tokenizer.normalizer = normalizers.Lowercase()
        count_here = kind == "characters" and not lowercase  # twenty times as fast as the library
        if not count_here:
            tokenizer.train_from_iterator(texts, trainer)
        model = tokenizer.model
        if kind != "bpe":  # the library does not count the word <unk> of a text as its special token
            numbers = tokenizer.get_vocab()
            ordered = sorted(numbers.keys() - set(special), key=numbers.__getitem__)
            names = [*special, *(_frequent(texts, min_frequency) if count_here else ordered)]
            model = models.WordLevel({name: number for number, name in enumerate(names[:size])}, UNKNOWN)
        # A tokenizer without special tokens, because these are cut out of a text before it is split into units:
        # the characters "<unk>" of a text must remain five characters.
        plain = Tokenizer(model)
        plain.pre_tokenizer, plain.decoder = tokenizer.pre_tokenizer, tokenizer.decoder
        if lowercase:
            plain.normalizer = tokenizer.normalizer
        return cls(plain.to_str())

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> IntArray:
        """Token numbers of a text, int32 `(tokens,)`."""
        text = _with_ends(text) if self.kind == "words" else text
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, np.int32)

    def normalised(self, text: str) -> str:
        """The text that `decode` returns for a text of words, but with its unknown words."""
        tokenizer = self._tokenizer
        text = text if tokenizer.normalizer is None else tokenizer.normalizer.normalize_str(text)
        return " ".join(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Begin and end of each token of `encode` in a text without line breaks."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).offsets)

    def encode_pieces(self, texts: Iterable[str]) -> Iterator[IntArray]:
        """Yields the token numbers of long texts in pieces, `(tokens,)` each; uses all cores."""
        if self.kind == "characters" and self._tokenizer.normalizer is None:
            yield from map(self._look_up, texts)
            return
        pieces = (part for text in texts for part in self._cut(text))
        while batch := list(islice(pieces, _BATCH)):
            for encoding in self._tokenizer.encode_batch_fast(batch, add_special_tokens=False):
                yield np.array(encoding.ids, self.dtype)

    def _look_up(self, text: str) -> IntArray:
        """Token numbers of a text of characters, a hundred times as fast as `encode`."""
        if self._table is None:
            self._table = np.zeros(sys.maxunicode + 1, self.dtype)
            for token, number in self._tokenizer.get_vocab().items():
                if len(token) == 1:
                    self._table[ord(token)] = number
        numbers: IntArray = self._table[_points(text)]
        return numbers

    @property
    def dtype(self) -> type[np.unsignedinteger[Any]]:
        """Smallest data type for all token numbers."""
        return np.uint16 if len(self) <= 1 << 16 else np.uint32

    def decode(self, numbers: Sequence[int] | IntArray) -> str:
        """The text of token numbers; for characters and byte-pair units the inverse of `encode`."""
        if self.kind == "words":
            words = [self.token(number) for number in numbers]
            return " ".join("\n" if word == END else word for word in words).replace(" \n ", "\n").replace(" \n", "\n")
        return str(self._tokenizer.decode(list(map(int, numbers)), skip_special_tokens=False))

    def token(self, number: int) -> str:
        """The text of a token number."""
        return str(self._tokenizer.id_to_token(int(number)))

    def number(self, token: str) -> int | None:
        """The number of a token; None if it is unknown."""
        index = self._tokenizer.token_to_id(token)
        return None if index is None else int(index)

    def to_text(self) -> str:
        """The vocabulary as JSON in the format of `tokenizers`."""
        return str(self._tokenizer.to_str())

    def _cut(self, text: str) -> Iterator[str]:
        """Yields the texts that the library encodes for a text."""
        if self.kind == "words":
            yield _with_ends(text)
        elif self.kind == "characters":
            yield from (text[i : i + _LENGTH] for i in range(0, len(text), _LENGTH))
        else:
            yield text


def _with_ends(text: str) -> str:
    """A text with the word `<eos>` for each line break."""
    return text.replace("\n", f" {END} ")


def _points(text: str) -> IntArray:
    """Code point of each character, `(characters,)`."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _short_words(texts: Iterable[str]) -> Iterator[str]:
    """Yields texts, cut where `LONGEST` characters follow each other without white space.

    The library takes a time that grows with the square of the length of the longest word: minutes for a line of DNA.
    """
    for text in texts:
        begin = 0
        for end in range(LONGEST, len(text), LONGEST):
            if len(text[end - LONGEST : end].split(None, 1)) == 1:
                yield text[begin:end]
                begin = end
        yield text[begin:]


def _frequent(texts: Iterable[str], least: int) -> list[str]:
    """Characters with a minimum number of occurrences, the most frequent first, then by code point.

    This is the order of the library.
    """
    counts = np.zeros(sys.maxunicode + 1, np.int64)
    for text in texts:
        points, times = np.unique(_points(text), return_counts=True)
        counts[points] += times
    order = np.argsort(-counts, kind="stable")
    return [chr(point) for point in order[: np.count_nonzero(counts >= max(least, 1))]]


@dataclass(frozen=True, kw_only=True)
class VocabularySpec(Spec):
    """Facts about texts that are encoded as token numbers.

    Attributes:
        vocabulary: Vocabulary of the training texts, as JSON of `Vocabulary.to_text`.
        size: Number of different token numbers of the model.
    """

    vocabulary: str
    size: int

    def to_vocabulary(self) -> Vocabulary:
        """The vocabulary as an object."""
        return Vocabulary(self.vocabulary)
