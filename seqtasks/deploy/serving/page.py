"""Page that describes the paths of a server: HTML from its OpenAPI description, without scripts or other servers."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1, h2 { line-height: 1.2; } h3 { margin: 1.6rem 0 .2rem; font-size: 1rem; }
code, pre { font: 14px/1.45 ui-monospace, Menlo, Consolas, monospace; } h3 code { font-size: 1rem; }
pre { background: #f4f4f4; padding: .6rem .8rem; overflow-x: auto; }
table { border-collapse: collapse; } td { padding: .1rem 1rem .1rem 0; vertical-align: top; }
.method { display: inline-block; min-width: 4.2rem; color: #0057a3; font-weight: 600; }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd; } pre { background: #262626; }
  .method { color: #6db3f2; } }
"""


def page_of(openapi: Mapping[str, Any]) -> str:
    """HTML of an OpenAPI description: each path with its text, fields and an example.

    Args:
        openapi: The description.

    Example:
        >>> page = page_of({"info": {"title": "t", "version": "1"}, "paths": {"/a": {"get": {"summary": "A"}}}})
        >>> "<code>/a</code>" in page and "<script" not in page
        True
    """
    info = openapi["info"]
    groups: dict[str, list[str]] = {}
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            name = (operation.get("tags") or ["server"])[0]
            groups.setdefault(name, []).append(_operation(path, method, operation, openapi))
    parts = [f"<h2>{html.escape(name)}</h2>{''.join(texts)}" for name, texts in groups.items()]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(info["title"])}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<h1>{html.escape(info['title'])} {html.escape(info['version'])}</h1>"
        f"<p>{html.escape(info.get('summary', ''))}</p>"
        '<p>The same for programs: <a href="openapi.json">openapi.json</a>. Models and their options: '
        f'<a href="models">models</a>. Errors are JSON, <code>{{"error": "one line"}}</code>, with a status of 4xx.</p>'
        f"{''.join(parts)}</html>"
    )


def _operation(path: str, method: str, operation: Mapping[str, Any], openapi: Mapping[str, Any]) -> str:
    text = operation.get("description") or operation.get("summary", "")
    parts = [
        f'<h3><span class="method">{method.upper()}</span> <code>{html.escape(path)}</code></h3>',
        f"<p>{html.escape(text)}</p>",
    ]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = _resolved(content.get("schema", {}), openapi)
    rows = [
        f"<tr><td><code>{html.escape(name)}</code>{'' if name in schema.get('required', ()) else ' (optional)'}</td>"
        f"<td>{html.escape(_resolved(field, openapi).get('description', ''))}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    ]
    if rows:
        parts.append(f"<table>{''.join(rows)}</table>")
    for example in schema.get("examples", ())[:1]:
        command = f"curl -s http://HOST:PORT{path} --json '{json.dumps(example)}'"
        parts.append(f"<pre>{html.escape(command)}</pre>")
    return "".join(parts)


def _resolved(schema: Mapping[str, Any], openapi: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a reference names."""
    name = schema.get("$ref", "").rpartition("/")[2]
    resolved: Mapping[str, Any] = openapi["components"]["schemas"][name] if name else schema
    return resolved
