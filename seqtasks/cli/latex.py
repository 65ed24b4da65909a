"""Converts the LaTeX equations of a docstring to plain text for a terminal."""

from __future__ import annotations

import functools
import re

_SIGNS = {
    "odot": "⊙", "sigma": "σ", "phi": "φ", "theta": "θ", "eta": "η", "alpha": "α", "beta": "β", "gamma": "γ",
    "epsilon": "ε", "varepsilon": "ε", "lambda": "λ", "Lambda": "Λ", "nu": "ν", "mu": "μ", "zeta": "ζ", "tau": "τ",
    "Delta": "Δ", "delta": "δ", "psi": "ψ", "rho": "ρ", "cdot": "·", "cdots": "…", "dots": "…", "ldots": "…",
    "circ": "∘", "top": "ᵀ", "in": "∈", "le": "≤", "ge": "≥", "leq": "≤", "geq": "≥", "times": "×", "sqrt": "√",
    "otimes": "⊗", "sum": "Σ", "Big": "",
    "pi": "π", "kappa": "κ", "xi": "ξ", "leftarrow": "←", "rightarrow": "→", "to": "→", "bmod": "mod",
    "qquad": "    ", "quad": "  ", "left": "", "right": "", "bigl": "", "bigr": "", "big": "", "begin": "", "end": "",
}  # fmt: skip
_MARKS = {"tilde": "\u0303", "hat": "\u0302", "bar": "\u0304", "dot": "\u0307", "ddot": "\u0308"}


def plain_equations(doc: str) -> str:
    """A docstring with its `.. math::` blocks as plain text.

    Args:
        doc: The docstring, without indentation.

    Example:
        >>> plain_equations(".. math::\\n    h_t &= \\\\tanh(x_t W_h + b)")
        '    h_t = tanh(x_t W_h + b)'
    """
    lines, inside = [], False
    for line in doc.splitlines():
        if line.startswith(".. math::"):
            inside, formula = True, line.removeprefix(".. math::").strip()
            lines += [f"    {_plain(formula)}"] if formula else []
        elif inside and (line.startswith(" ") or not line):
            lines.append(_plain(line) if line else "")
        else:
            inside = False
            lines.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def _plain(line: str) -> str:
    line = re.sub(r"\\(text|mathrm|mathbf|operatorname)\{([^{}]*)\}", r"\2", line)
    for name, mark in _MARKS.items():
        line = re.sub(rf"\\{name}(?:\{{(\w)\}}|\s+(\w)|\{{\\(\w+)\}})", functools.partial(_marked, mark=mark), line)
    line = line.replace(r"\\", "").replace("&", "").replace(r"\,", " ").replace(r"\;", " ").replace(r"\!", "")
    line = re.sub(r"\\([A-Za-z]+)", lambda m: _SIGNS.get(m[1], m[1]), line)
    line = re.sub(r"([_^])\{(\w|[^\W_]{1,2})\}", r"\1\2", line).replace(r"\{", "{").replace(r"\}", "}")
    return line.replace("^ᵀ", "ᵀ").rstrip()


def _marked(match: re.Match[str], mark: str) -> str:
    letter = match[1] or match[2] or _SIGNS.get(match[3], match[3])
    return letter + mark
