"""Equations for a terminal, and what `show cell` and `list cells` tell of every cell."""

import inspect
import re
import subprocess
import sys

import pytest

from seqtasks import engines
from seqtasks.cells.registration import make_cell
from seqtasks.cli.latex import plain_equations
from seqtasks.core import plugins

BUNDLED = [entry.name for entry in plugins.cells.entries() if entry.module.startswith("seqtasks.cells.")]
FUNCTIONS = {"tanh", "exp", "log", "max"}  # macros that are read as they are written


def plain(latex):
    return plain_equations(f".. math::\n    {latex}").strip()


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"h_t &= \tanh(x_t W + h_{t-1} U + b) \\", "h_t = tanh(x_t W + h_{t-1} U + b)"),
        (r"\tilde h &= \tanh(x_t W_h)", "h\N{COMBINING TILDE} = tanh(x_t W_h)"),
        (
            r"\tilde{h}_t + \hat c + \bar{x}",
            "h\N{COMBINING TILDE}_t + c\N{COMBINING CIRCUMFLEX ACCENT} + x\N{COMBINING MACRON}",
        ),
        (r"\hat{\sigma}", "σ\N{COMBINING CIRCUMFLEX ACCENT}"),
        (r"z, r &= \sigma(x_t W_{zr} + b_{zr})", "z, r = σ(x_t W_zr + b_zr)"),
        (r"\hat h &= h(\Delta_t) - \delta \bmod \tau", "h\N{COMBINING CIRCUMFLEX ACCENT} = h(Δ_t) - δ mod τ"),
        (r"f \odot c_{t-1} \cdot 2", "f ⊙ c_{t-1} · 2"),
        (r"A &= U - U^\top - \gamma I", "A = U - Uᵀ - γ I"),
        (r"\lambda = e^{\nu} \qquad \theta \in \{0, 1\}", "λ = e^ν      θ ∈ {0, 1}"),
        (r"\mathrm{Re}(h_t C) + \text{depth} \operatorname{norm}(x)", "Re(h_t C) + depth norm(x)"),
        (r"\left( a \right) \le \sqrt{b} \ldots", "( a ) ≤ √{b} …"),
        (r"a \, b\!c", "a   bc"),
    ],
)
def test_signs_are_unicode(latex, text):
    assert plain(latex) == text


def test_only_the_block_of_equations_is_changed():
    doc = inspect.cleandoc(r"""A cell of Smith & Jones.

    .. math::
        h &= \sigma(a) \\

        c &= b

    W is \sigma & more.

    .. math:: y = \phi(h)

    Reference: A & B.""")
    assert plain_equations(doc).split("\n") == [
        "A cell of Smith & Jones.",
        "",
        "    h = σ(a)",
        "",
        "    c = b",
        "",
        r"W is \sigma & more.",
        "",
        "    y = φ(h)",
        "",
        "Reference: A & B.",
    ]


def test_without_equations_nothing_is_changed():
    assert plain_equations("One line.\n\nAnother & \\more.") == "One line.\n\nAnother & \\more."


@pytest.mark.parametrize("name", BUNDLED)
def test_no_latex_is_left_of_a_bundled_cell(name):
    doc = inspect.cleandoc(plugins.cells.get(name).__doc__)
    (latex,) = re.findall(r"^\.\. math::(.*\n(?:[ ].*\n|\n)*)", doc, re.MULTILINE)
    text = plain_equations(f".. math::{latex}")
    assert "=" in text and "math::" not in text
    assert not {"\\", "&"} & set(text)
    macros = set(re.findall(r"\\([A-Za-z]+)", latex)) - FUNCTIONS
    assert not macros & set(re.findall(r"[A-Za-z]+", text)), "a macro is left without its backslash"
    for bracket in ("()", "[]", "{}"):
        assert text.count(bracket[0]) == text.count(bracket[1])
    rest = doc.partition(latex)[2]
    assert plain_equations(doc).endswith(rest), "what follows is not touched"


def test_show_cell(cli):
    code, out, err = cli("show", "cell", "mgu")
    assert (code, err) == (0, "")
    cls = plugins.cells.get("mgu")
    assert out.startswith("mgu: Minimal gated unit (MGU), a GRU whose reset and update gates are one.\n")
    for text in (
        "f = σ(x_t W_f + h_{t-1} U_f + b_f)",
        "h\N{COMBINING TILDE} = tanh(",
        "W is `(features, 2 * units)`",
        "Zhou",
    ):
        assert text in out
    assert "\\" not in out and "math::" not in out
    facts = dict(re.findall(r"^(states|parameters|engines|paper|file) +(.*)$", out, re.MULTILINE))
    assert facts == {
        "states": "h",
        "parameters": "2*n*(m + n + 1), with m features and n units",
        "engines": "loop",
        "paper": "https://arxiv.org/abs/1603.09420 (2016)",
        "file": inspect.getfile(cls),
    }
    assert re.search(r"^encoder.options.recurrent_initializer +orthogonal$", out, re.MULTILINE)
    *_, example, python = out.splitlines()
    assert example == "seqtasks run TASK encoder.cell=mgu encoder.units=64"
    outputs = {}
    exec(f"import keras, seqtasks\nx, mask = keras.ops.ones((2, 3, 5)), None\n{python}", outputs)
    assert outputs["outputs"].shape == (2, 3, 64)


def test_show_cell_lists_options_and_several_engines(cli):
    _, out, _ = cli("show", "cell", "lstm")
    assert re.search(r"^encoder.options.forget_bias +1.0$", out, re.MULTILINE)
    assert re.search(r"^states +h, c$", out, re.MULTILINE)
    actual = engines.available(make_cell("lstm", 4))
    assert actual[-2:] == ["keras", "loop"]
    assert re.search(rf"^engines +{', '.join(actual)}$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", "cell", "nope"], "seqtasks: unknown cell 'nope'; the nearest of "),
        (["show", "cell", "lstn"], "seqtasks: unknown cell 'lstn'; did you mean lstm?"),
        (
            ["show", "cell"],
            "seqtasks: no cell is named; allowed: a name from `seqtasks list cells`, or a file; write",
        ),
        (
            ["show", "lstm", "cell"],
            "seqtasks: cannot show 'lstm' 'cell'; allowed: a task and settings key=value, or one cell; write seqtasks",
        ),
        (["show", "cell", "lstm", "gru"], "seqtasks: cannot show 'cell' 'lstm' 'gru'; allowed: a task and settings"),
    ],
)
def test_what_cannot_be_shown(cli, words, says):
    code, out, err = cli(*words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and err.startswith(says)


def listed(out):
    """The rows of `list cells` by name, as column to text."""
    lines = out.splitlines()
    head = lines[lines.index("cells") + 1]
    starts = [m.start() for m in re.finditer(r"\S+", head)]
    rows = {}
    for line in lines[lines.index("cells") + 2 :]:
        if not line.strip():
            break
        parts = [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
        rows[parts[0]] = dict(zip(head.split(), parts, strict=True))
    return rows


def facts_of(name):
    cls = plugins.cells.get(name)
    return {
        "name": name,
        "states": ", ".join(cls.states),
        "params": cls.params or "",
        "engines": sorted(engines.available(make_cell(name, 1))),
        "year": str(cls.year),
        "paper": cls.paper,
    }


def test_stored_list_of_cells_agrees_with_the_registry():
    code = """
import sys
from seqtasks.cli import main
sys.argv = ["seqtasks", "list", "cells"]
main.app(standalone_mode=False)
sys.exit("keras" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    rows = listed(done.stdout)
    assert set(BUNDLED) <= set(rows)
    for name in BUNDLED:
        assert rows[name] | {"engines": sorted(rows[name]["engines"].split(", "))} == facts_of(name)


def test_the_list_is_the_same_once_a_cell_is_imported(cli):
    expected = facts_of("min_gru")
    code, out, _ = cli("list", "cells")
    actual = listed(out)["min_gru"]
    assert code == 0
    assert actual | {"engines": sorted(actual["engines"].split(", "))} == expected
