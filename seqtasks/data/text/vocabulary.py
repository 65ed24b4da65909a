"""Vocabularies of characters, words or byte-pair units, by the `tokenizers` library."""

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
_BATCH = 256  # texts encoded at a time
_LENGTH = 4096  # characters a text


class Vocabulary:
    """Characters, words or byte-pair units, and their numbers.

    Whatever is not in it becomes `<unk>`, number 0 (in byte-pair units nothing is unknown).
    Words are what stands between spaces; the end of a line is the word `<eos>`.

    Args:
        text: what `to_text` gave.

    Raises:
        DataError: it is damaged.
    """

    def __init__(self, text: str):
        from tokenizers import Tokenizer

        try:
            self._tokenizer: Any = Tokenizer.from_str(text)
        except Exception as error:  # the library raises plain Exception
            raise DataError(f"the vocabulary is damaged: {error}; train again") from error
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
        """The vocabulary of some texts.

        Args:
            kind: of the units.
            texts: in pieces that cut no word.
            size: the most units; None: all (byte-pair units: 4096).
            min_frequency: rarer units are left out.
            lowercase: fold capitals first.
            punctuation: signs are words of their own even where no space is between.

        Raises:
            ConfigError: byte-pair units fewer than there are bytes.
        """
        from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

        settings: dict[str, Any] = {"min_frequency": min_frequency, "show_progress": False}
        if kind == "bpe":
            size = size or 4096
            if size < 257:
                raise ConfigError(f"a vocabulary of {size} byte-pair units; allowed: ≥ 257, a unit for each byte")
            tokenizer = Tokenizer(models.BPE())
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            tokenizer.decoder = decoders.ByteLevel()
            alphabet = pre_tokenizers.ByteLevel.alphabet()
            trainer: trainers.Trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, **settings)
        else:
            tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
            special = [UNKNOWN]
            if kind == "characters":
                tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
                tokenizer.decoder = decoders.Fuse()
            else:
                # Between spaces; or each match, and what lies between is dropped.
                # Here \w has combining marks, but not the joiners of Persian and of Indian scripts. Not [\w…]:
                # in brackets \w lacks ½ and ³.
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
        counted = kind == "characters" and not lowercase  # here, as that is twenty times as fast
        if not counted:
            tokenizer.train_from_iterator(texts, trainer)
        model = tokenizer.model
        if kind != "bpe":  # a text may hold the word <unk>, which the library counts as another than its own
            known = tokenizer.get_vocab()
            ordered = sorted(known.keys() - set(special), key=known.__getitem__)
            names = [*special, *(_frequent(texts, min_frequency) if counted else ordered)]
            model = models.WordLevel({name: number for number, name in enumerate(names[:size])}, UNKNOWN)
        # A special token is cut out of any text before all else: the characters "<unk>" of a text must stay five.
        plain = Tokenizer(model)
        plain.pre_tokenizer, plain.decoder = tokenizer.pre_tokenizer, tokenizer.decoder
        if lowercase:
            plain.normalizer = tokenizer.normalizer
        return cls(plain.to_str())

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> IntArray:
        """The numbers of a text, int32 (units,)."""
        text = _with_ends(text) if self.kind == "words" else text
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, np.int32)

    def normalised(self, text: str) -> str:
        """A text of words as `decode` would give it back, unknown ones too: in its case, with single spaces."""
        tokenizer = self._tokenizer
        text = text if tokenizer.normalizer is None else tokenizer.normalizer.normalize_str(text)
        return " ".join(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where each unit of a text without line breaks begins and ends, as `encode` cuts it."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).offsets)

    def encode_pieces(self, texts: Iterable[str]) -> Iterator[IntArray]:
        """The numbers of long texts, in pieces; uses all cores."""
        if self.kind == "characters" and self._tokenizer.normalizer is None:
            yield from map(self._look_up, texts)
            return
        pieces = (part for text in texts for part in self._cut(text))
        while batch := list(islice(pieces, _BATCH)):
            for encoding in self._tokenizer.encode_batch_fast(batch, add_special_tokens=False):
                yield np.array(encoding.ids, self.dtype)

    def _look_up(self, text: str) -> IntArray:
        """The same as `encode` for characters, a hundred times as fast."""
        if self._table is None:
            self._table = np.zeros(sys.maxunicode + 1, self.dtype)
            for token, number in self._tokenizer.get_vocab().items():
                if len(token) == 1:
                    self._table[ord(token)] = number
        numbers: IntArray = self._table[_points(text)]
        return numbers

    @property
    def dtype(self) -> type[np.unsignedinteger[Any]]:
        """The smallest that holds all numbers."""
        return np.uint16 if len(self) <= 1 << 16 else np.uint32

    def decode(self, numbers: Sequence[int] | IntArray) -> str:
        """The text of some numbers; characters and byte-pair units give back what was encoded."""
        if self.kind == "words":
            words = [self.token(number) for number in numbers]
            return " ".join("\n" if word == END else word for word in words).replace(" \n ", "\n").replace(" \n", "\n")
        return str(self._tokenizer.decode(list(map(int, numbers)), skip_special_tokens=False))

    def token(self, number: int) -> str:
        """One unit as text."""
        return str(self._tokenizer.id_to_token(int(number)))

    def number(self, token: str) -> int | None:
        """The number of a unit; None if it is unknown."""
        index = self._tokenizer.token_to_id(token)
        return None if index is None else int(index)

    def to_text(self) -> str:
        """JSON in the format of `tokenizers`."""
        return str(self._tokenizer.to_str())

    def _cut(self, text: str) -> Iterator[str]:
        if self.kind == "words":
            yield _with_ends(text)
        elif self.kind == "characters":
            yield from (text[i : i + _LENGTH] for i in range(0, len(text), _LENGTH))
        else:
            yield text


def _with_ends(text: str) -> str:
    return text.replace("\n", f" {END} ")


def _points(text: str) -> IntArray:
    """The code point of each character, (characters,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _frequent(texts: Iterable[str], least: int) -> list[str]:
    """The characters that come at least so often, in the order of the library: frequent ones first, then by number."""
    counts = np.zeros(sys.maxunicode + 1, np.int64)
    for text in texts:
        points, times = np.unique(_points(text), return_counts=True)
        counts[points] += times
    order = np.argsort(-counts, kind="stable")
    return [chr(point) for point in order[: np.count_nonzero(counts >= max(least, 1))]]


@dataclass(frozen=True, kw_only=True)
class VocabularySpec(Spec):
    """Facts about texts as token numbers.

    Attributes:
        vocabulary: That of the training texts, as `Vocabulary.to_text` gives it.
        size: Number of token numbers that the model knows.
    """

    vocabulary: str
    size: int

    def to_vocabulary(self) -> Vocabulary:
        """The vocabulary, ready for use."""
        return Vocabulary(self.vocabulary)
