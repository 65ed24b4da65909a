"""RNN: a recurrent layer with the main arguments and the outputs of `keras.layers.RNN`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from seqtasks.cells.base import Cell
from seqtasks.layers.recurrent import Recurrent

NOT_HERE = {  # arguments of `keras.layers.RNN`, and what to do without them
    "go_backwards": 'use direction="backward", or Encoder(bidirectional=True) in place of keras.layers.Bidirectional',
    "unroll": "leave it out: the engine chooses how the loop runs",
    "zero_output_for_mask": "leave it out: outputs of masked steps are always zero",
}


@keras.saving.register_keras_serializable("seqtasks")
class RNN(Recurrent):
    """Recurrent layer with the main arguments and the outputs of `keras.layers.RNN`.

    `Recurrent` is the same layer, but always returns outputs and states. Keras's `go_backwards` is
    `direction="backward"` here, whose outputs keep the order of the steps; `Encoder(bidirectional=True)` takes the
    place of `keras.layers.Bidirectional`; `unroll` and `zero_output_for_mask` do not exist: the engine chooses how to
    run the loop, and outputs of masked steps are always zero.

    Masks: a masked step copies the states and has output zero, on every engine. The mask is an argument
    or Keras's implicit mask. A stateful layer starts each call from the final states of the call before.

    Args:
        cell: A recurrent cell of `seqtasks.cells`.
        return_sequences: Whether to return the outputs of all steps, not only of the last valid one.
        return_state: Whether to also return the final states.
        **kwargs: Arguments of `Recurrent`, such as `direction`, `stateful` or `recurrent_dropout`.

    Raises:
        ConfigError: As `Recurrent`.
        TypeError: The cell is not one of `seqtasks.cells`, or an argument of `keras.layers.RNN` does not exist here.

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
        for name, instead in NOT_HERE.items():
            if name in kwargs:
                raise TypeError(
                    f"RNN has no argument {name}={kwargs[name]!r}; allowed: return_sequences, return_state and those "
                    f"of seqtasks.layers.Recurrent; {instead}"
                )
        super().__init__(cell, **kwargs)
        self.return_sequences, self.return_state = return_sequences, return_state

    def call(  # type: ignore[override]
        self,
        x: Any,
        initial_state: Sequence[Any] | None = None,
        mask: Any = None,
        training: bool = False,
        time_gaps: Any = None,
        observed: Any = None,
    ) -> Any:
        """Runs the cell over time.

        Args:
            x: Inputs, `(batch, time, features)`.
            initial_state: One tensor, `(batch, units)`, for each state of the cell, or a single one; None: the
                kept states if stateful, else the initial state of the cell.
            mask: `(batch, time)`, true at valid steps; None: the implicit mask of `x`, or else all steps are
                valid.
            training: Whether dropout is applied.
            time_gaps: Time between each step and the one before it, `(batch, time)`, see `Recurrent.call`.
            observed: Observation mask, `(batch, time, features)`, see `Recurrent.call`.

        Returns:
            Outputs, `(batch, time, units)`, or `(batch, units)` without `return_sequences`. With `return_state`
            a list of the outputs and each final state, `(batch, units)`.
        """
        if initial_state is not None and not isinstance(initial_state, list | tuple):
            initial_state = [initial_state]
        outputs, states = super().call(
            x,
            mask=mask,
            initial_state=initial_state,
            return_sequences=self.return_sequences,
            training=training,
            time_gaps=time_gaps,
            observed=observed,
        )
        return [outputs, *states] if self.return_state else outputs

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Returns the mask of the outputs if they have a time axis, and None for each state."""
        mask = previous_mask if self.return_sequences else None
        return [mask, *[None] * len(self.cell.state_size)] if self.return_state else mask

    def keeps_time(self, arguments: dict[str, Any]) -> bool:
        return self.return_sequences

    def get_config(self) -> dict[str, Any]:
        config = {"return_sequences": self.return_sequences, "return_state": self.return_state}
        return {**super().get_config(), **config}
