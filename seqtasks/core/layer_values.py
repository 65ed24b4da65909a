"""Cells, widths and dropout rates that differ between the layers of an encoder."""

from __future__ import annotations

from typing import Any, TypeVar

from seqtasks.core.errors import ConfigError

T = TypeVar("T", int, float)
SIGN = "+"  # between the cells of a stack


def names(cell: str) -> tuple[str, ...]:
    """Splits `encoder.cell` into the cells of the layers; a file is one cell, whatever its name contains.

    Example:
        >>> names("lstm+gru"), names("./a+b.py")
        (('lstm', 'gru'), ('./a+b.py',))
    """
    if "/" in cell or ".py" in cell:
        return (cell,)
    return tuple(part.strip() for part in cell.split(SIGN))


def joined(cell: str) -> str:
    """`encoder.cell` in the form in which it is stored: equal cells once.

    Example:
        >>> joined("lstm + gru"), joined("lstm+lstm")
        ('lstm+gru', 'lstm')
    """
    parts = names(cell)
    return parts[0] if len(set(parts)) == 1 else SIGN.join(parts)


def one_or_each(value: T | list[T] | tuple[T, ...]) -> T | tuple[T, ...]:
    """A value of all layers, or a tuple with one for each if they differ.

    Example:
        >>> one_or_each(64), one_or_each([64, 64]), one_or_each([64, 128])
        (64, 64, (64, 128))
    """
    if not isinstance(value, list | tuple):
        return value
    return value[0] if len(set(value)) == 1 else tuple(value)


def number_of_layers(cell: str, units: Any, dropout: Any, layers: int) -> int:
    """Number of layers of an encoder; lists set it where `layers` has its default, 1.

    Args:
        cell: `encoder.cell`.
        units: `encoder.units`, a number or a list.
        dropout: `encoder.dropout`, a number or a list.
        layers: `encoder.layers`.

    Raises:
        ConfigError: The numbers of values differ, or a list is empty.

    Example:
        >>> number_of_layers("lstm", [64, 128], 0.0, 1)
        2
    """
    parts = names(cell)
    if len(parts) > 1 and not all(parts):
        raise ConfigError(
            f"encoder.cell is {cell!r}; allowed: a cell, or cells joined by +; write it such as encoder.cell=lstm+gru"
        )
    counts = {
        f"encoder.{name} has {len(values)} values": len(values)
        for name, values in (("cell", parts if len(parts) > 1 else None), ("units", units), ("dropout", dropout))
        if isinstance(values, list | tuple)
    }
    if layers > 1:
        counts = {f"encoder.layers is {layers}": layers, **counts}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        raise ConfigError(f"{', '.join(counts)}; allowed: one value, or one for each layer; make the numbers equal")
    return next(iter(counts.values()), layers)


def check_widths(config: Any) -> None:
    """Checks the settings that need layers of equal widths, or directions that are merged.

    Args:
        config: An `EncoderConfig`.

    Raises:
        ConfigError: A setting that the widths or the merge of the directions rule out.
    """
    if isinstance(config.units, tuple):
        shown = f"encoder.units has the widths {', '.join(map(str, config.units))}"
        if config.last_units is not None:
            raise ConfigError(
                f"{shown} and encoder.last_units is {config.last_units}; allowed: one of the two; leave out last_units"
            )
        for name, values in (("skip", ("residual", "highway")), ("block", ("gated", "xlstm", "griffin"))):
            value = getattr(config, name)
            if value in values:
                raise ConfigError(
                    f"{shown} with encoder.{name}={value}, which adds the input of a layer to its output; allowed: "
                    f"equal widths; set encoder.units to one number or encoder.{name}=none"
                )
    apart = config.bidirectional and config.merge == "none"
    if apart and (config.skip != "none" or config.layer_norm):
        what = f"encoder.skip={config.skip}" if config.skip != "none" else "encoder.layer_norm=true"
        raise ConfigError(
            f"encoder.merge=none with {what}, which would mix the directions; allowed: neither skip nor layer_norm; "
            "set encoder.merge=concat or remove it"
        )
