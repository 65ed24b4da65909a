"""RNN: a recurrent layer with the arguments and outputs of `keras.layers.RNN`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from seqtasks.cells.base import Cell
from seqtasks.layers.recurrent import Recurrent


@keras.saving.register_keras_serializable("seqtasks")
class RNN(Recurrent):
    """Recurrent layer with the arguments and outputs of `keras.layers.RNN`; `Recurrent` returns outputs and states.

    Masked time steps copy the state and give zeros, on every engine. A stateful layer starts each call from the
    final states of the call before.

    Args:
        cell: A recurrent cell of `seqtasks.cells`.
        return_sequences: Return the outputs of all time steps, not only that of the last valid one.
        return_state: Also return the final states.
        **kwargs: Arguments of `Recurrent`, such as `direction`, `stateful` or `recurrent_dropout`.

    Raises:
        ConfigError: As `Recurrent`.

    Example:
        >>> import numpy as np
        >>> from seqtasks.cells import MGU
        >>> from seqtasks.layers import RNN
        >>> x = np.zeros((2, 5, 3), "float32")
        >>> tuple(RNN(MGU(4))(x).shape)
        (2, 4)
        >>> outputs, state = RNN(MGU(4), return_sequences=True, return_state=True)(x)
        >>> tuple(outputs.shape), tuple(state.shape)
        ((2, 5, 4), (2, 4))
    """

    def __init__(self, cell: Cell, return_sequences: bool = False, return_state: bool = False, **kwargs: Any):
        super().__init__(cell, **kwargs)
        self.return_sequences, self.return_state = return_sequences, return_state

    def call(  # type: ignore[override]
        self, x: Any, initial_state: Sequence[Any] | None = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Runs the cell over time.

        Args:
            x: Inputs, (batch, time, features).
            initial_state: One tensor (batch, units) for each state of the cell, or a single one; None: the states
                kept by a stateful layer, else the cell's initial state.
            mask: (batch, time), true at valid steps; None: the mask that `x` carries, else all steps are valid.
            training: Whether dropout is applied.

        Returns:
            Outputs (batch, time, units), or (batch, units) without `return_sequences`; with `return_state` a list
            of the outputs and each final state, (batch, units).
        """
        if initial_state is not None and not isinstance(initial_state, list | tuple):
            initial_state = [initial_state]
        outputs, states = super().call(
            x, mask=mask, initial_state=initial_state, return_sequences=self.return_sequences, training=training
        )
        return [outputs, *states] if self.return_state else outputs

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the outputs of all time steps; None otherwise, and for states."""
        mask = previous_mask if self.return_sequences else None
        return [mask, *[None] * len(self.cell.state_size)] if self.return_state else mask

    def keeps_time(self, arguments: dict[str, Any]) -> bool:
        return self.return_sequences

    def get_config(self) -> dict[str, Any]:
        config = {"return_sequences": self.return_sequences, "return_state": self.return_state}
        return {**super().get_config(), **config}
