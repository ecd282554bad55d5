"""The frame of a page that shows a document: no scripts, nothing fetched, all escaped."""

import base64
from collections.abc import Iterable
from html import escape

STYLE = """
body{font:16px/1.5 "Noto Sans","Segoe UI",Arial,sans-serif;color:#1a2028;background:#fff;
max-width:60rem;margin:1.5rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 1rem}h2,h3,h4,h5,h6{font-size:1.1rem;margin:1.2rem 0 .3rem}
.about{border-collapse:collapse;margin-bottom:1.5rem;width:100%}
.about th{text-align:left;font-weight:600;padding:.15rem 1rem .15rem 0;width:11rem;
vertical-align:top}
.about td{padding:.15rem 0}
.wide{overflow-x:auto;margin-bottom:1.5rem}
.rows{border-collapse:collapse;font-variant-numeric:tabular-nums}
.rows caption{font-weight:600;text-align:left;padding-bottom:.3rem}
.rows th,.rows td{border:1px solid #c9d2dc;padding:.25rem .6rem;text-align:left;
vertical-align:top}
.rows thead th{background:#eef2f6}.rows tbody th{font-weight:400}
.rows.totals td{font-weight:600}
ul{list-style:none;margin:0;padding-left:1.1rem;border-left:2px solid #dde3ea}
main>ul,details>ul{padding-left:0;border:0}li{margin:.2rem 0}
summary{cursor:pointer;font-weight:600;margin:1rem 0 .5rem}
figure{margin:.5rem 0 1.5rem}figcaption{color:#4a5563;font-size:.9rem}
img{max-width:100%;height:auto;background:#000;display:block}
.notice{border-left:4px solid #b3261e;padding:.3rem .8rem;background:#fdf1f0}
.name{font-weight:600}.relation{color:#4a5563;font-size:.85rem}
.value{white-space:pre-wrap;overflow-wrap:anywhere}:target{background:#fff3cd}
"""


def page(title: str, body: str, language: str) -> str:
    """A whole page; `body` is HTML of which everything foreign is escaped."""
    return (
        f"<!DOCTYPE html><html lang='{escape(language)}'>"
        "<head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f"<h1 id='item-1'>{escape(title)}</h1>{body}</main></body></html>"
    )


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """What is to be known first: a table of names and values."""
    lines = (
        f"<tr><th scope='row'>{escape(name)}</th><td class='value'>{escape(value)}</td></tr>"
        for name, value in rows
    )
    return f"<table class='about'>{''.join(lines)}</table>"


def table(title: str, columns: list[str], rows: list[list[str]]) -> str:
    """Rows below headings; without headings the first cell of each row is one."""
    head = "".join(f"<th scope='col'>{escape(one)}</th>" for one in columns)
    lines = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    kind = "rows" if columns else "rows totals"
    head = f"<thead><tr>{head}</tr></thead>" if columns else ""
    return (
        f"<div class='wide'><table class='{kind}'><caption>{escape(title)}</caption>"
        f"{head}<tbody>{lines}</tbody></table></div>"
    )


def figure(picture: bytes, media_type: str, caption: str) -> str:
    """A picture within the page itself."""
    data = base64.b64encode(picture).decode()
    return (
        f"<figure><img src='data:{media_type};base64,{data}' alt='{escape(caption)}'>"
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def notice(text: str) -> str:
    """What is missing or cannot be shown."""
    return f"<p class='notice'>{escape(text)}</p>"


def _cells(row: list[str]) -> str:
    first, *rest = row
    return f"<th scope='row'>{escape(first)}</th>" + "".join(
        f"<td class='value'>{escape(one)}</td>" for one in rest
    )
