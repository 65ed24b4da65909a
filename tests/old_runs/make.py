"""Makes one small run of each task with the installed seqtasks, and records what it says about them.

    python tests/old_runs/make.py FOLDER

The runs in this folder were made by seqtasks 0.1.0 with the lowest versions of its dependencies, before modules and
settings were renamed. `tests/test_old_runs.py` lists, evaluates, predicts from and resumes them with today's code.

FOLDER/runs/          one finished run a task, trained for one epoch on its built-in set
FOLDER/half/          two runs that were interrupted in their third epoch
FOLDER/inputs/        a picture of a digit, a picture of a scene, and a recording
FOLDER/expected.json  for each run: its row, the scores of `evaluate`, the rows of `predict`; and the losses of the
                      half-done runs when they were resumed

`runs.tar.xz` has runs/, half/ and inputs/, without plots and locks.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

TASKS = {
    "adding": "options.length=20 options.examples=200",
    "captioning": "options.scenes=100 options.side=32 options.embedding=8 options.filters=[4,8]",
    "char_lm": "data.limit=4000 encoder.layers=2 options.embedding=8 options.dynamic_rate=0.1",
    "copy_memory": "options.length=10 options.examples=200",
    "frames": "options.examples=60 options.size=8 options.filters=[4,4]",
    "glimpses": "options.hidden=8 options.glimpses=3 options.deviation=0.2",
    "mnist_rows": "encoder.cell=mgu encoder.bidirectional=true",
    "mnist_vanilla": "options.hidden=[16]",
    "sentiment": "data.limit=200 options.embedding=8 options.size=100 options.pooling=attention",
    "spoken_digits": "data.limit=60 options.bands=8",
    "spoken_strings": "options.strings=40 options.tests=10 options.bands=8 options.pyramid=1",
    "tagging": "data.limit=60 options.words=8 options.characters=rnn options.character_units=4 options.crf=true",
    "text_lm": "data.limit=3000 options.embedding=8 options.adaptive=[50] options.size=150",
    "translation": "data.limit=200 options.size=300 options.embedding=8 options.feeding=true options.smoothing=0.1",
    "word_lm": "data.limit=6000 train.batch_size=4 options.size=200 options.back=2",
}
PREDICT = {
    "captioning": ["inputs/scene.png", "--beams", "2"],
    "char_lm": ["--prompt", "the ", "--length", "20", "--temperature", "0"],
    "frames": ["test:0"],
    "glimpses": ["inputs/digit.png"],
    "mnist_rows": ["inputs/digit.png"],
    "mnist_vanilla": ["inputs/digit.png"],
    "sentiment": ["a lovely film", "not a good one"],
    "spoken_digits": ["inputs/tone.wav"],
    "spoken_strings": ["inputs/tone.wav"],
    "tagging": ["def f(x):", "return 1"],
    "text_lm": ["--prompt", "the film", "--length", "10", "--temperature", "0"],
    "translation": ["12", "205"],
    "word_lm": ["--prompt", "the", "--length", "10", "--temperature", "0"],
}
COMMON = ["data.source=builtin", "data.limit_test=40", "train.epochs=1", "train.average=none", "encoder.units=8"]
COMMON += ["encoder.layers=1"]
HALF = {
    "mnist_rows": "encoder.dropout=0.3 train.batch_size=32 train.schedule=plateau train.patience=1 "
    "options.augment=true",
    "char_lm": "data.limit=6000 data.limit_test=40 encoder.layers=1 train.batch_size=8 options.window=16 "
    "options.embedding=8",
}


def run(*words: str) -> str:
    """Standard output of a seqtasks command."""
    done = subprocess.run([sys.executable, "-m", "seqtasks", *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"seqtasks {' '.join(words)}\n{done.stderr}")
    return done.stdout


def last_json(text: str) -> dict:
    return json.loads([line for line in text.splitlines() if line.startswith("{")][-1])


def make_inputs(folder: Path) -> None:
    folder.mkdir(parents=True)
    digit = 255 - (load_digits().images[3] * 15.9).astype(np.uint8)
    Image.fromarray(digit).resize((32, 32)).save(folder / "digit.png")
    scene = np.full((32, 32), 255, np.uint8)
    scene[2:18, 4:20] = np.asarray(Image.fromarray(digit).resize((16, 16)))
    Image.fromarray(scene).save(folder / "scene.png")
    tone = np.sin(2 * np.pi * np.cumsum(np.linspace(200, 900, 4000)) / 8000)
    with wave.open(str(folder / "tone.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((8000 * tone).astype("<i2").tobytes())


def losses(folder: Path) -> list[float]:
    with (folder / "history.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def stop_half_way(task: str, runs: Path) -> Path:
    """Starts a run and interrupts it in its third epoch."""
    common = ["data.source=builtin", "encoder.units=8", "train.epochs=4", "seed=7", "train.checkpoint_seconds=0.1"]
    words = [sys.executable, "-m", "seqtasks", "run", task, *common, *HALF[task].split(), "--runs", str(runs)]
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while child.poll() is None:
        time.sleep(0.02)
        for path in runs.glob(f"{task}-*/checkpoint.npz"):
            with np.load(path) as saved:
                meta = json.loads(str(saved["meta"]))
            if meta["epoch"] == 2 and meta["step"] > 5:
                child.send_signal(signal.SIGINT)
                assert child.wait(60) == 130, child.stderr.read()
                return path.parent
    raise SystemExit(f"it was not interrupted: {child.stderr.read()}")


def main(out: Path) -> None:
    if not (out / "inputs").exists():
        make_inputs(out / "inputs")
    os.chdir(out)  # so that no path of this machine stands in what is recorded
    expected: dict[str, dict] = {}
    for task, words in TASKS.items():
        given = {word.split("=")[0] for word in words.split()}
        common = [word for word in COMMON if word.split("=")[0] not in given]
        row = last_json(run("run", task, *common, *words.split(), "--runs", "runs", "--json", "-q"))
        folder = f"runs/{row['run']}"
        scores = [json.loads(line) for line in run("evaluate", folder, "--format", "json").splitlines()]
        answer = None
        if task in PREDICT:
            answer = run("predict", folder, *PREDICT[task], "--format", "json")
        expected[row["run"]] = {"task": task, "row": row, "evaluate": scores, "predict": answer}
        print(row["run"], row["value"], (answer or "")[:70], flush=True)
    for task in HALF:
        half = stop_half_way(task, Path("half"))
        resumed = Path("resumed", half.name)
        shutil.copytree(half, resumed)
        run("resume", str(resumed), "--runs", "resumed")
        row = json.loads((resumed / "result.json").read_text())
        expected[half.name] = {"losses": losses(resumed), "row": row}
    Path("expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
