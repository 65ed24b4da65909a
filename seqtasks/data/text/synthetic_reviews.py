"""Reviews from a grammar with negation and contrast, a built-in set with a known best accuracy."""

from __future__ import annotations

import numpy as np

WRONG = 0.05  # of the labels: nobody can be right more often than 1 - WRONG, on average
NOUNS = ["film", "plot", "acting", "music", "ending", "script", "camera", "dialogue", "cast", "story", "pace", "humour"]
GOOD = ["good", "great", "moving", "clever", "funny", "warm", "gripping", "fresh", "bold", "honest"]
BAD = ["bad", "dull", "clumsy", "silly", "cold", "tired", "loud", "empty", "slow", "fake"]
STRONG = ["", "", "very", "really", "quite", "so"]
CLASSES = ["negative", "positive"]


def opinions(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Texts and labels.

    "not" turns an opinion round, "never … anything but" leaves it as it is; after "but", and
    after the comma of "although", stands what counts.

    Args:
        count: how many.
        seed: of all that is drawn.
    """
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(count):
        positive = bool(rng.random() < 0.5)
        form = rng.integers(4)
        last = _clause(rng, positive)
        if form == 0:
            text = last
        elif form == 1:
            text = f"{_clause(rng, not positive)} but {last}"
        elif form == 2:
            text = f"although {_clause(rng, not positive)} , {last}"
        else:
            text = f"{_clause(rng, positive)} and {last}"
        texts.append(f"{text} .")
        labels.append(CLASSES[int(positive != (rng.random() < WRONG))])
    return texts, labels


def _clause(rng: np.random.Generator, positive: bool) -> str:
    form = rng.integers(3)
    words = GOOD if positive == (form != 1) else BAD
    opinion = " ".join(word for word in (rng.choice(STRONG), rng.choice(words)) if word)
    between = ("was", "was not", "was never anything but")[form]
    return f"the {rng.choice(NOUNS)} {between} {opinion}"
