"""Contents of the memories of LMU, Stack-RNN and Clockwork RNN, and the system that S5 starts from."""

import numpy as np
import scipy.special

from seqtasks.cells.clockwork_rnn import ClockworkRNN
from seqtasks.cells.lmu import legendre
from seqtasks.cells.s5 import hippo_normal
from seqtasks.cells.stack_rnn import StackRNN
from seqtasks.layers.recurrent import Recurrent


def test_the_memory_of_an_lmu_is_the_window_that_it_names():
    theta, order, delay = 50, 12, 20
    A, B = legendre(order, theta)
    signal, m = np.sin(np.arange(300) * 2 * np.pi / 60), np.zeros(order)
    polynomials = [scipy.special.eval_sh_legendre(i, delay / theta) for i in range(order)]
    for t in range(300):
        m = m @ A + signal[t] * B
    # The step is held for its whole length, so that its value is that of half a step ago.
    assert abs(m @ polynomials - np.sin((299.5 - delay) * 2 * np.pi / 60)) < 0.02


def test_each_module_of_a_clockwork_changes_at_its_period_of_valid_steps():
    cell = ClockworkRNN(6, modules=3)
    x = np.random.default_rng(0).normal(size=(1, 12, 2)).astype("float32")
    mask = np.ones((1, 12), bool)
    mask[0, [1, 2, 7]] = False
    outputs, (_, t) = Recurrent(cell)(x, mask=mask)
    valid = np.asarray(outputs)[0][mask[0]]
    changes = np.any(np.diff(valid, axis=0).reshape(-1, 3, 2), axis=2)
    step = np.arange(1, 9)
    np.testing.assert_array_equal(changes, np.stack([step % 1 == 0, step % 2 == 0, step % 4 == 0], axis=1))
    assert float(t[0, 0]) == 9 % 4


def test_a_stack_returns_what_was_pushed_in_reverse():
    cell = StackRNN(2, stacks=1, depth=4)
    cell.build((None, None, 2))
    weights = {weight.name: np.zeros(weight.shape) for weight in cell.weights}
    weights["kernel"] = 200 * np.eye(2) - 100  # h is the input, one of (0, 1) and (1, 0)
    weights["action_kernel"] = 100 * np.array([[1, 0, 0], [0, 1, 0]])  # push at (1, 0), pop at (0, 1)
    weights["push_kernel"] = np.array([[0.5], [0]])
    cell.set_weights([weights[weight.name] for weight in cell.weights])
    layer = Recurrent(cell)
    states, tops = [np.zeros((1, 2), "float32"), np.array([[0.1, 0.2, 0.3, 0.4]], "float32")], []
    for symbol in (0, 1, 1, 1, 1):
        x = np.eye(2, dtype="float32")[symbol].reshape(1, 1, 2)
        _, states = layer(x, initial_state=states)
        tops.append(float(states[1][0, 0]))
    pushed = 1 / (1 + np.exp(-0.5))
    np.testing.assert_allclose(tops, [pushed, 0.1, 0.2, 0.3, 0.0], atol=1e-5)


def test_the_normal_part_of_hippo_has_known_eigenvalues():
    frequency, V = hippo_normal(2)
    # -1/2 and S = [[0, a], [-a, 0]] with a = √3 / 2
    np.testing.assert_allclose(frequency, [np.sqrt(3) / 2])
    frequency, V = hippo_normal(16)
    root = np.sqrt(2 * np.arange(16) + 1)
    legs = -np.tril(np.outer(root, root), -1) - np.diag(np.arange(16) + 1)
    normal = legs + np.outer(root, root) / 2  # minus a rank of one, it is normal
    np.testing.assert_allclose(normal @ V, V * (-0.5 + 1j * frequency), atol=1e-10)
    assert np.all(frequency > 0)
