"""Processes that train one model together under JAX: sums over processes, and values of the first process."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seqtasks.core.errors import RunError

WAIT = 2.0  # seconds of one wait for the first process, so that Ctrl-C is heard between two of them


class ProcessGroup:
    """Processes that train one model together, of which this is one.

    JAX starts a service in the first process, by which the processes find one another. Arrays are summed by its
    collective operations, with one device of each process.

    Args:
        address: Host and port of the service, `host:port`; the first process opens it.
        count: Number of processes.
        rank: Number of this process, from 0.

    Attributes:
        proposals: Functions that return whether this process asks for something, such as to stop; asked before each
            training step. `agreed` has the answers after the step.
        agreed: For each proposal, whether any process asked for it in the last step; the same in all processes.

    Raises:
        RunError: The processes did not find one another.
    """

    def __init__(self, address: str, count: int, rank: int):
        import jax

        self.count, self.rank = count, rank
        self.proposals: Sequence[Callable[[], bool]] = ()
        self.agreed: list[bool] = []
        self._shared = 0
        try:
            jax.distributed.initialize(address, count, rank, cluster_detection_method="deactivate")
            devices: dict[int, Any] = {}
            for device in jax.devices():
                devices.setdefault(device.process_index, device)
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise RunError(
                f"process {rank} of {count} cannot join the others at {address}: {reason}; allowed: processes that all "
                "start within five minutes and reach this address; start all of them anew"
            ) from error
        mesh = jax.sharding.Mesh(np.array([devices[number] for number in range(count)]), ("process",))
        self._one_each = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("process"))
        self._all = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
        self._sum = jax.jit(lambda array: array.sum(0, dtype=array.dtype), out_shardings=self._all)

    @property
    def first(self) -> bool:
        """Whether this is the first process, which alone writes files."""
        return self.rank == 0

    def share(self, rows: int) -> tuple[int, int]:
        """First row and end of this process's share of a batch; shares differ by one row at most.

        Args:
            rows: Number of rows of the batch.
        """
        return share(rows, self.count, self.rank)

    def sum_vector(self, vector: Any) -> Any:
        """Adds up an array over all processes.

        Args:
            vector: Array of this process, `(1, …)`.

        Returns:
            The sum, `(…)`, equal in all processes.

        Raises:
            RunError: Another process has ended.
        """
        import jax

        whole = jax.make_array_from_single_device_arrays((self.count, *vector.shape[1:]), self._one_each, [vector])
        try:
            return jax.block_until_ready(self._sum(whole)).addressable_data(0)
        except RuntimeError as error:
            raise self._lost(error) from error

    def gather(self, array: np.ndarray) -> np.ndarray:
        """Collects an array of equal shape from each process, `(processes, …)`, in all processes."""
        import jax.numpy as jnp

        slots = np.zeros((1, self.count, *array.shape), array.dtype)
        slots[0, self.rank] = array
        return np.asarray(self.sum_vector(jnp.asarray(slots)))

    def propose(self) -> np.ndarray:
        """Proposals of this process, `(proposals,)`: 1 where it asks for one, else 0."""
        return np.array([float(proposal()) for proposal in self.proposals], np.float32)

    def decide(self, counts: np.ndarray) -> None:
        """Sets `agreed` to the proposals of any process.

        Args:
            counts: Sum of `propose` over all processes.
        """
        self.agreed = [bool(count > 0) for count in counts]

    def ask_all(self) -> None:
        """Sets `agreed` outside a training step, as at the end of an epoch."""
        self.decide(self.gather(self.propose()).sum(0))

    def from_first(self, value: Any = None) -> Any:
        """Waits for a value of the first process.

        Args:
            value: The value, in the first process; it is sent as JSON. Others ignore it.

        Returns:
            The value of the first process.

        Raises:
            RunError: The first process has ended.
        """
        client, key = self._client(), f"seqtasks/{self._shared}"
        self._shared += 1
        if self.first:
            client.key_value_set(key, json.dumps(value))
            return json.loads(json.dumps(value))
        while True:
            try:
                return json.loads(client.blocking_key_value_get(key, int(WAIT * 1000)))
            except RuntimeError as error:
                if "DEADLINE_EXCEEDED" not in str(error):
                    raise self._lost(error) from error

    def arrays_from_first(self, arrays: Sequence[Any]) -> list[np.ndarray]:
        """Returns the arrays of the first process, in all processes.

        Args:
            arrays: The arrays; those of other processes have the same shapes and types, and other values.
        """
        import jax.numpy as jnp

        arrays = [np.asarray(array) for array in arrays]
        # As bytes: a sum of zeros and the bytes of the first process changes no bit, whatever the type.
        raw = np.frombuffer(b"".join(array.tobytes() for array in arrays), np.uint8)
        raw = np.asarray(self.sum_vector(jnp.asarray((raw if self.first else np.zeros_like(raw))[None])))
        ends = np.cumsum([array.nbytes for array in arrays])
        pieces = np.split(raw, ends[:-1])
        return [
            np.frombuffer(piece.tobytes(), array.dtype).reshape(array.shape)
            for piece, array in zip(pieces, arrays, strict=True)
        ]

    def _client(self) -> Any:
        from jax._src import distributed  # JAX has no public name for the key-value service of its processes

        return distributed.global_state.client

    def _lost(self, error: Exception) -> RunError:
        reason = " ".join(str(error).split())[:200]
        return RunError(
            f"process {self.rank} lost the other processes ({reason}); allowed: all {self.count} processes until the "
            "end of training; start the same command again, which continues from the last checkpoint"
        )


def share(rows: int, count: int, rank: int) -> tuple[int, int]:
    """First row and end of the share of one of several processes in a batch.

    Args:
        rows: Number of rows of the batch.
        count: Number of processes.
        rank: Number of the process, from 0.

    Example:
        >>> [share(7, 2, rank) for rank in range(2)]
        [(0, 3), (3, 7)]
    """
    return rank * rows // count, (rank + 1) * rows // count
