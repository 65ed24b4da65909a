"""Step model of a probe against its whole sequence."""

import numpy as np
from keras import ops

from seqtasks.core.plugins import load_task
from seqtasks.layers import Encoder


def test_a_step_equals_the_sequence_at_valid_steps():
    task = load_task("parity")()
    model = task.build_model(Encoder(cell="lstm", units=4))
    plan = task.export_plan(model)
    assert plan.shapes == ("step", "length")
    (step,) = plan.graphs("step")
    tokens = np.array([[1, 2, 2, 1, 0, 0]], "int32")  # two steps of padding
    expected = np.asarray(model(tokens))[0, :4]
    states = {state.input: ops.convert_to_tensor(state.initial) for state in step.states}
    for t in range(4):
        made = step.function({"tokens": ops.convert_to_tensor(tokens[:, t : t + 1]), **states})
        np.testing.assert_allclose(np.asarray(made["outputs"])[0, 0], expected[t], atol=1e-6)
        states = {state.input: made[state.output] for state in step.states}
