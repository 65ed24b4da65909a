"""Numbers of parameters of cells, and encoders with equal numbers of parameters."""

from __future__ import annotations

import ast
import dataclasses
import math
import operator
from typing import Any

from seqtasks.cells.base import Cell
from seqtasks.core.config import EncoderConfig, parse_match
from seqtasks.core.plugins import cells
from seqtasks.layers.encoder import Encoder, options_of

_SIGNS: dict[type, Any] = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def formula(cell: Cell, features: int) -> int:
    """Evaluates the registered formula for the number of trainable parameters of a cell.

    Args:
        cell: Cell with `params`, such as `"4*n*(m + n + 1)"`.
        features: Number of input features, m.

    Returns:
        Number of trainable parameters.

    Raises:
        ValueError: The cell has no formula, or one with other operators than + - * ( ) or other names than
            m (features), n (units) and attributes of the cell.
    """
    if cell.params is None:
        raise ValueError(
            f"cell {cell.cell_name} has no formula; allowed: one of m (features) and n (units), such as '4*n*(m + n)'; "
            "add register_cell(…, params=…)"
        )

    def look_up(name: str) -> int:
        size = {"m": features, "n": cell.units}.get(name, getattr(cell, name, None))
        if not isinstance(size, int):
            raise ValueError(
                f"{name!r} in the formula {cell.params} of cell {cell.cell_name} is {size!r}; allowed: m (features), "
                "n (units) and integer attributes of the cell; change the formula"
            )
        return size

    def value(node: ast.expr) -> int:
        if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
            return int(_SIGNS[type(node.op)](value(node.left), value(node.right)))
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.Name):
            return look_up(node.id)
        raise ValueError(
            f"{ast.unparse(node)!r} in the formula {cell.params} of cell {cell.cell_name}; allowed: names, integers "
            "and + - * ( ); change the formula"
        )

    return value(ast.parse(cell.params, mode="eval").body)


def count(config: EncoderConfig, features: int) -> int:
    """Returns the number of trainable parameters of an encoder that reads `features` features."""
    # Reset the settings that do not change shapes, as the reference cell may not support them.
    encoder = Encoder(dataclasses.replace(config, engine="loop", recurrent_dropout=0.0, weight_drop=0.0, zoneout=0.0))
    encoder.build((None, None, features))
    return sum(math.prod(weight.shape) for weight in encoder.trainable_weights)


def match(config: EncoderConfig, features: int) -> EncoderConfig:
    """Returns settings with the units that bring the encoder closest to a reference size.

    Args:
        config: Settings with `match`, such as `"lstm:128"`: cell and units of the reference encoder. Its
            layers, directions and skips are those of `config`, but it has no block, so that cells bare and in blocks
            have equal numbers. A list of `units` gives the proportions of the widths, which are all scaled by one
            factor and rounded; the layers of the reference are equally wide.
        features: Number of input features.

    Returns:
        The settings with the `units` whose number of parameters is nearest to that of the reference; they are a
        multiple of `Cell.units_multiple`, as of the number of heads.

    Raises:
        ConfigError: `match` is not of the form cell:units.
    """
    assert config.match is not None
    cell, units = parse_match(config.match)
    target = count(dataclasses.replace(config, cell=cell, units=units, options={}, block="none"), features)

    multiple = math.lcm(*(cells.get(name).units_multiple(options_of(config, name)) for name in config.cells))
    widths = (1,) if isinstance(config.units, int) else config.units

    def scaled(multiples: int) -> EncoderConfig:
        """The settings whose widest layer has this many multiples; the others keep their proportions to it."""
        sizes = [multiple * max(1, round(multiples * width / max(widths))) for width in widths]
        return dataclasses.replace(config, units=sizes[0] if len(sizes) == 1 else tuple(sizes))

    def size(multiples: int) -> int:
        return count(scaled(multiples), features)

    below, above = 0, 1
    while size(above) < target:
        below, above = above, 2 * above
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if size(middle) < target else (below, middle)
    nearest = min((multiples for multiples in (below, above) if multiples), key=lambda n: abs(size(n) - target))
    return scaled(nearest)
