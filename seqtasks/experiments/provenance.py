"""Notes below a result table: task version, data, seeds, software and machine of the rows."""

from __future__ import annotations

from collections.abc import Sequence

from seqtasks.experiments.results import NONE, Row


def notes_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """Lines below a table: origin of its numbers, and a warning if times cannot be compared.

    Args:
        rows: All rows of the table.
    """

    def versions(name: str) -> list[str]:
        return sorted({row.versions[name] for row in rows if name in row.versions})

    first = rows[0]
    machines, threads = sorted({row.machine for row in rows}), [str(n) for n in sorted({row.threads for row in rows})]
    seeds = sorted({row.seed for row in rows if row.kind == "model"} or {row.seed for row in rows})
    software = {"seqtasks": versions("seqtasks"), "Keras": versions("keras")}
    software |= {name: versions(name) for name in versions("backend")}
    parts = [
        ", ".join(sorted({f"{row.task} v{row.version}" for row in rows})),
        first.source,
        f"fingerprint {first.fingerprint if len(first.fingerprint) <= 12 else first.fingerprint[:8] + '…'}",
        f"seeds {','.join(map(str, seeds))}",
        *_matched(rows),
        ", ".join(f"{name} {'/'.join(values)}".rstrip() for name, values in software.items()),
        f"{'/'.join(threads)} thread{'s' * (threads != ['1'])} on {' / '.join(machines)}",
    ]
    places = {"machine": machines, "threads": threads, "backend": versions("backend"), **software}
    differ = [f"{name} ({'; '.join(values)})" for name, values in places.items() if len(values) > 1]
    warning = [f"rows differ in {', '.join(differ)}: times are not comparable"] if differ else []
    return " · ".join(parts), *warning


def _matched(rows: Sequence[Row]) -> list[str]:
    """Notes on the reference of `encoder.match`, for each task with that setting in all rows.

    A task that has matched and unmatched rows is left out, because `encoder.match` is then a column.
    """
    matches: dict[str, set[str | None]] = {}
    for row in rows:
        if row.kind == "model" and row.cell != NONE:
            matches.setdefault(row.task, set()).add(row.config.get("encoder", {}).get("match"))
    references = {task: " and ".join(sorted(filter(None, values))) for task, values in matches.items() if all(values)}
    if len(references) == len(matches) and len(set(references.values())) == 1:
        return [f"encoder parameters matched to {next(iter(references.values()))}"]
    return [f"encoder parameters of {task} matched to {one}" for task, one in sorted(references.items())]
