"""Characters a second that a model of two LSTM layers writes, one text at a time, against a loop of steps in PyTorch.

    python benchmarks/generation.py
    python benchmarks/generation.py --cell gru --units 256 --layers 2 --length 2000

Both draw from the softmax at temperature 1; a round generates the same number of characters
with each, in turn, in a process of its own: the waiting threads of one library would slow the
other. PyTorch runs `torch.nn.LSTM` or `torch.nn.GRU` step by step under
`inference_mode`, as its users do; its numbers are not compared here, only its time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from seqtasks import EncoderConfig
from seqtasks.decoding.sampling import Sampler, uniform
from seqtasks.layers import Encoder
from seqtasks.task_types import LanguageOptions
from seqtasks.task_types.language_modeling.model import LanguageStep, language_model, read

SYMBOLS = 66


def ours(cell: str, units: int, layers: int, length: int) -> Callable[[], None]:
    """Generates `length` characters."""
    encoder = Encoder(EncoderConfig(cell=cell, units=units, layers=layers), name="encoder")
    model = language_model(encoder, SYMBOLS, LanguageOptions(), "lm")
    logits, states = read(model, np.zeros((1, 1), "int32"))
    sampler, draws = Sampler(LanguageStep(model)), uniform(length, [0])
    return lambda: sampler(logits, states, draws)  # type: ignore[return-value]


def theirs(cell: str, units: int, layers: int, length: int) -> Callable[[], None]:
    """The same number of characters, one step of PyTorch after the other."""
    import torch

    embedding = torch.nn.Embedding(SYMBOLS, units)
    recurrent = getattr(torch.nn, cell.upper())(units, units, layers)
    head = torch.nn.Linear(units, SYMBOLS)

    def generate() -> None:
        token, states = torch.zeros((1, 1), dtype=torch.long), None
        with torch.inference_mode():
            for _ in range(length):
                out, states = recurrent(embedding(token), states)
                token = torch.multinomial(torch.softmax(head(out[0]), -1), 1)

    return generate


CONTENDERS = {"seqtasks": ours, "PyTorch step loop": theirs}


def serve(name: str, size: tuple[str, int, int, int], pipe: Connection) -> None:
    """Generates once a message, and answers with the seconds."""
    generate = CONTENDERS[name](*size)
    generate()  # compiles
    pipe.send("ready")
    while pipe.recv():
        begin = time.perf_counter()
        generate()
        pipe.send(time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", choices=["lstm", "gru"], default="lstm")
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--length", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    size = (given.cell, given.units, given.layers, given.length)
    spawn = multiprocessing.get_context("spawn")
    pipes = {}
    for name in CONTENDERS:
        pipes[name], other = spawn.Pipe()
        spawn.Process(target=serve, args=(name, size, other), daemon=True).start()
        pipes[name].recv()
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for number in range(given.rounds + 1):  # the first is not counted
        for name in CONTENDERS if number % 2 else reversed(CONTENDERS):
            time.sleep(0.1)  # threads spin for a while after they computed
            pipes[name].send(True)
            times[name].append(pipes[name].recv())
    print(f"{given.layers} × {given.cell} {given.units}, {given.length} characters, {given.rounds} rounds")
    print(f"{'contender':20} {'characters/s':>13} {'quartiles':>15}")
    for name, seconds in times.items():
        low, middle, high = np.percentile(given.length / np.array(seconds[1:]), [25, 50, 75])
        print(f"{name:20} {middle:13,.0f} {low:7,.0f}-{high:,.0f}")
    ratio = np.array(times["PyTorch step loop"][1:]) / np.array(times["seqtasks"][1:])
    print(f"times as fast: {np.median(ratio):.2f} ({ratio.min():.2f}-{ratio.max():.2f})")


if __name__ == "__main__":
    main()
