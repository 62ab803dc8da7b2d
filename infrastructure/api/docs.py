"""The API's documentation as one page without scripts or foreign assets, made of the document."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

routes = APIRouter(include_in_schema=False)

_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;color:#1b1f24}
h2{border-bottom:1px solid #d0d7de;margin-top:2.5rem;text-transform:capitalize}
summary{cursor:pointer;padding:.3rem 0}details details{margin-left:1rem}
code,pre{font:14px/1.45 ui-monospace,monospace}pre{background:#f6f8fa;overflow:auto;padding:.8rem}
b.post{color:#9a3412}b.get{color:#1d4ed8}table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid #e5e7eb;padding:.3rem .6rem .3rem 0}td,th{text-align:left}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}pre{background:#161b22}
b.post{color:#fdba74}b.get{color:#93c5fd}td,th,h2{border-color:#30363d}a{color:#93c5fd}}
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@routes.get("/docs")
async def page(request: Request) -> HTMLResponse:
    """The documentation."""
    return HTMLResponse(
        "".join(_page(request.app.openapi())), headers={"Content-Security-Policy": _POLICY}
    )


def _page(document: dict[str, Any]) -> Iterator[str]:
    shared = document["components"]
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{title} API</title>"
    yield '<meta name=viewport content="width=device-width">'
    yield f"<style>{_STYLE}</style><h1>{title}</h1>"
    yield f"<p>{_prose(document['info']['description'])}</p>"
    yield '<p>For machines: <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1), '
    yield "which also types each of your programs under its own path.</p>"
    for tag in document["tags"]:
        yield f"<h2 id={tag['name']}>{tag['name']}</h2><p>{escape(tag['description'])}</p>"
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation.get("tags", ()):
                    yield from _operation(method, path, operation, shared)
    yield "<h2 id=schemas>Schemas</h2>"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"<details id={escape(name, quote=True)}><summary><code>{escape(name)}</code>"
        yield f"</summary>{_json(schema)}</details>"


def _operation(
    method: str, path: str, operation: dict[str, Any], shared: dict[str, Any]
) -> Iterator[str]:
    yield f"<details><summary><b class={method}>{method.upper()}</b> <code>{escape(path)}</code> "
    yield f"{_prose(operation.get('description', ''))}</summary>"
    if parameters := operation.get("parameters"):
        yield "<table><tr><th>parameter<th>in<th>meaning"
        for parameter in parameters:
            each = _resolved(parameter, shared["parameters"])
            name = escape(each["name"]) + ("*" if each.get("required") else "")
            yield f"<tr><td><code>{name}</code><td>{each['in']}"
            yield f"<td>{_prose(each.get('description', ''))}"
        yield "</table>"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body, {escape(kind)}:{_json(content.get('schema', {}))}"
    yield "<table><tr><th>reply<th>meaning<th>body"
    for status, response in operation["responses"].items():
        reply = _resolved(response, shared["responses"])
        schemas = [_name(each["schema"]) for each in reply.get("content", {}).values()]
        yield f"<tr><td>{status}<td>{_prose(reply['description'])}<td>{', '.join(schemas)}"
    yield "</table></details>"


def _resolved(part: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """What *part* is, if it only refers to it."""
    found: dict[str, Any] = shared[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
    return found


def _name(schema: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f'<a href="#{escape(name, quote=True)}">{escape(name)}</a>' if name else ""


def _prose(text: str) -> str:
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if odd % 2 else part for odd, part in enumerate(parts))


def _json(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
