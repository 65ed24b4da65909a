"""Vocabularies: encoding and decoding of any text, unknown units, training."""

import time

import numpy as np
import pytest

from seqtasks.core.errors import ConfigError, DataError
from seqtasks.data.text import vocabulary
from seqtasks.data.text.vocabulary import END, UNKNOWN, Vocabulary

TEXT = "Naïve café 😀 über\nthe cat the cat <unk> sat\n" * 3


@pytest.mark.parametrize("kind", ["characters", "bpe"])
@pytest.mark.parametrize("text", [TEXT, "the\n\n cat", " ", "😀\n"])
def test_characters_and_bytes_round_trip(kind, text):
    words = Vocabulary.train(kind, [TEXT])
    assert words.decode(words.encode(text)) == text


def test_byte_pairs_know_everything():
    words = Vocabulary.train("bpe", ["abc"], size=300)
    assert words.decode(words.encode("漢字 ☃ \x00")) == "漢字 ☃ \x00"


def test_byte_pairs_of_a_text_without_spaces_take_little_time():
    """The library alone takes four times as long for twice the length: 3 s of processor time for these."""
    dna = "".join("ACGT"[number] for number in np.random.default_rng(0).integers(0, 4, 100_000))
    begin = time.process_time()
    words = Vocabulary.train("bpe", [dna], size=300)
    assert time.process_time() - begin < 1 and words.decode(words.encode(dna[:50])) == dna[:50]


def test_words_of_ordinary_texts_are_not_cut():
    text = "the cat sat " * 1000
    assert list(vocabulary._short_words([text, ""])) == [text, ""]
    assert "".join(vocabulary._short_words(["ab " + "x" * 5000 + " cd"])) == "ab " + "x" * 5000 + " cd"


def test_words_end_with_their_lines():
    words = Vocabulary.train("words", [TEXT])
    numbers = words.encode("the cat\nsat  zebra\n")
    assert [words.token(n) for n in numbers] == ["the", "cat", END, "sat", UNKNOWN, END]
    assert words.decode(numbers) == f"the cat\nsat {UNKNOWN}\n"


def test_a_written_unknown_word_is_the_unknown_word():
    words = Vocabulary.train("words", [TEXT])
    assert list(words.encode(f"{UNKNOWN} never-seen")) == [0, 0]


def test_written_out_it_is_five_characters():
    words = Vocabulary.train("characters", [TEXT])
    assert len(words.encode(UNKNOWN)) == 5 and 0 not in words.encode(UNKNOWN)
    assert list(words.encode("漢")) == [0]


def test_signs_can_be_words():
    words = Vocabulary.train("words", ["It's here, (now)!\n<unk> \n"], punctuation=True)
    tokens = [words.token(n) for n in words.encode("It's here, (now)!\n<unk>here")]
    assert tokens == ["It's", "here", ",", "(", "now", ")", "!", END, UNKNOWN, "here"]
    assert words.kind == Vocabulary(words.to_text()).kind == "words"


def test_rare_words_are_left_out_and_capitals_folded():
    words = Vocabulary.train("words", ["The the THE cat cat dog\n"], min_frequency=2, lowercase=True)
    assert len(words) == 4  # <unk> <eos> the cat
    assert words.encode("tHe").tolist() == words.encode("the").tolist() != [0]
    assert words.encode("dog").tolist() == [0]


@pytest.mark.parametrize("kind", ["characters", "words", "bpe"])
def test_pieces_give_the_numbers_of_the_whole(kind):
    words = Vocabulary.train(kind, [TEXT])
    long = TEXT * 300
    pieces = np.concatenate(list(words.encode_pieces([long[:5000], long[5000:]])))
    assert pieces.dtype == np.uint16
    if kind == "bpe":
        assert words.decode(pieces) == long
    elif kind == "characters":
        assert pieces.tolist() == words.encode(long).tolist()
    whole = list(words.encode_pieces([long]))
    assert np.concatenate(whole).tolist() == words.encode(long).tolist() or kind == "bpe"


@pytest.mark.parametrize("kind", ["characters", "words", "bpe"])
def test_it_is_the_same_from_its_text(kind):
    words = Vocabulary.train(kind, [TEXT])
    again = Vocabulary(words.to_text())
    assert (again.kind, len(again)) == (words.kind, len(words))
    assert again.encode(TEXT + "é").tolist() == words.encode(TEXT + "é").tolist()


def test_what_is_refused():
    with pytest.raises(ConfigError, match="100 byte-pair units; allowed: ≥ 257"):
        Vocabulary.train("bpe", [TEXT], size=100)
    with pytest.raises(DataError, match="the vocabulary is damaged"):
        Vocabulary("{}")


def test_characters_are_counted_and_looked_up_as_the_library_does():
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    theirs = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    theirs.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    trainer = trainers.WordLevelTrainer(vocab_size=1000, special_tokens=[UNKNOWN], min_frequency=3, show_progress=False)
    theirs.train_from_iterator([TEXT, "zz\x00\U0010ffff"], trainer)
    ours = Vocabulary.train("characters", [TEXT, "zz\x00\U0010ffff"], min_frequency=3)
    assert {ours.token(n): n for n in range(len(ours))} == theirs.get_vocab()
    strange = TEXT + "漢\U0010ffff z"
    (fast,) = ours.encode_pieces([strange])
    assert fast.tolist() == ours.encode(strange).tolist() and fast.dtype == ours.dtype
    folded = Vocabulary.train("characters", [TEXT], lowercase=True)
    assert np.concatenate([*folded.encode_pieces(["NaïVe"])]).tolist() == folded.encode("naïve").tolist()


def test_a_text_as_decode_would_give_it_back():
    words = Vocabulary.train("words", ["A man, two dogs."], lowercase=True, punctuation=True)
    assert words.normalised("  Two   MEN, a dog.") == "two men , a dog ."
    assert words.normalised("A man.") == words.decode(words.encode("A man."))
    assert Vocabulary.train("words", ["A man, two"]).normalised("A  Man, x") == "A Man, x"


@pytest.mark.parametrize(
    "words",
    [
        ["नमस्ते", "ana"],
        ["مُحَمَّدٌ"],
        ["שָׁלוֹם"],
        ["ที่นี่"],
        ["e\u0301te\u0301's"],
        ["می\u200cخواهم", "क्\u200dष"],
        ["the", "cat's", "1", ".", "5", "(", "é", ")", "1½", "alien³"],
    ],
)
def test_marks_and_joiners_end_no_word(words):
    vocabulary = Vocabulary.train("words", [" ".join(words)], lowercase=True, punctuation=True)
    assert [vocabulary.token(n) for n in vocabulary.encode(" ".join(words))] == words
