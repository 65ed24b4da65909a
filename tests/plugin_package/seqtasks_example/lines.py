"""One line for each epoch, in `lines.txt` of the run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seqtasks import Tracker


class Lines(Tracker):
    """Writes epoch and validation loss as text."""

    def start(self) -> int:
        return int(self.state.get("epochs", 0))

    def log(self, epochs: Sequence[Mapping[str, float]]) -> None:
        with (self.run.path / "lines.txt").open("a", encoding="utf-8") as file:
            for values in epochs:
                print(int(values["epoch"]), values["val_loss"], file=file)
        self.state["epochs"] = int(epochs[-1]["epoch"])
