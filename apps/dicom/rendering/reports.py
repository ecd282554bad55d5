"""Structured reports as a page without scripts, and as plain text (PS3.18 8.7.3.6)."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from pydicom.dataset import Dataset

from apps.dicom.structured_report import Item, content_of, person, readable_date, readable_time

# The words around a report in English; who asks for it gives them in the site's language.
WORDS = {
    "report": "Structured report",
    "patient": "Patient",
    "birth_date": "Date of birth",
    "sex": "Sex",
    "study": "Study",
    "accession": "Accession number",
    "written": "Written",
    "completion": "Completeness",
    "verification": "Verification",
    "verifier": "Verified by",
    "saved": "Saved here by",
    "image": "Image",
    "context": "Context",
    "modifier": "Modifier",
    "acquisition": "Acquisition",
    "inferred": "Inferred from",
    "selected": "Selected from",
    "see": "See item",
    "empty": "No value",
}
STYLE = """
body{font:16px/1.5 "Noto Sans","Segoe UI",Arial,sans-serif;color:#1a2028;background:#fff;
max-width:52rem;margin:1.5rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 1rem}h2,h3,h4,h5,h6{font-size:1.1rem;margin:1.2rem 0 .3rem}
.about{border-collapse:collapse;margin-bottom:1.5rem;width:100%}
.about th{text-align:left;font-weight:600;padding:.15rem 1rem .15rem 0;width:11rem;
vertical-align:top}
.about td{padding:.15rem 0}
ul{list-style:none;margin:0;padding-left:1.1rem;border-left:2px solid #dde3ea}
main>ul{padding-left:0;border:0}li{margin:.2rem 0}
.name{font-weight:600}.relation{color:#4a5563;font-size:.85rem}
.value{white-space:pre-wrap;overflow-wrap:anywhere}:target{background:#fff3cd}
"""
_CONTAINERS = ("CONTAINER", "")
_DEEPEST_HEADING = 6
_NOBODY = ("", "unknown", "unknown unknown")  # what programs write for want of a name


def as_html(dataset: Dataset, words: Mapping[str, str], saved: Sequence[str] = ()) -> str:
    """A whole page; everything out of the report is escaped.

    `saved`: who saved it here and when, where that is known. Programs write reports for people
    whose names they do not know: that person is then its observer.
    """
    root = _named(content_of(dataset), saved)
    title = root.name or words["report"]
    about = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td class='value'>{escape(value)}</td></tr>"
        for name, value in _about(dataset, words, saved)
    )
    body = "".join(_html_items(root.children, words, 2))
    return (
        f"<!DOCTYPE html><html lang='{escape(words.get('language', 'en'))}'>"
        "<head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f"<h1 id='item-1'>{escape(title)}</h1><table class='about'>{about}</table>"
        f"{body}</main></body></html>"
    )


def as_text(dataset: Dataset, words: Mapping[str, str], saved: Sequence[str] = ()) -> str:
    """Lines, indented by two spaces for each level; `saved` as above."""
    root = _named(content_of(dataset), saved)
    lines = [root.name or words["report"], ""]
    lines += [f"{name}: {value}" for name, value in _about(dataset, words, saved)]
    return "\n".join([*lines, "", *_text_lines(root.children, words, 0), ""])


def _named(root: Item, saved: Sequence[str]) -> Item:
    """The report with a person for each observer that is none."""
    for item in root.children:
        if item.kind == "PNAME" and item.value.lower() in _NOBODY:
            item.value = saved[0] if saved else ""
    return root


def _about(
    dataset: Dataset, words: Mapping[str, str], saved: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Whose report it is, of when, and how far it is (PS3.3 C.17.2)."""
    written = dataset.get("ContentDate"), dataset.get("ContentTime")
    found = {
        "patient": _patient(dataset),
        "birth_date": readable_date(_plain(dataset, "PatientBirthDate")),
        "sex": _plain(dataset, "PatientSex"),
        "study": _joined(
            readable_date(_plain(dataset, "StudyDate")), _plain(dataset, "StudyDescription")
        ),
        "accession": _plain(dataset, "AccessionNumber"),
        "written": _joined(
            readable_date(str(written[0] or "")), readable_time(str(written[1] or ""))
        ),
        "completion": _flag(dataset, "CompletionFlag"),
        "verification": _flag(dataset, "VerificationFlag"),
        "verifier": ", ".join(
            _joined(person(one.get("VerifyingObserverName")), _plain(one, "VerifyingOrganization"))
            for one in dataset.get("VerifyingObserverSequence") or []
        ),
    }
    found["saved"] = ", ".join(saved)
    yield from ((words[name], value) for name, value in found.items() if value)


def _patient(dataset: Dataset) -> str:
    number = _plain(dataset, "PatientID")
    return _joined(person(dataset.get("PatientName")), f"({number})" if number else "")


def _flag(dataset: Dataset, name: str) -> str:
    return _plain(dataset, name).capitalize()


def _plain(dataset: Dataset, name: str) -> str:
    return str(dataset.get(name) or "").strip()


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)


def _html_items(items: list[Item], words: Mapping[str, str], level: int) -> Iterator[str]:
    if not items:
        return
    yield "<ul>"
    for item in items:
        yield f"<li id='item-{item.place.replace('.', '-')}'>{_html_line(item, words, level)}"
        yield from _html_items(item.children, words, min(level + 1, _DEEPEST_HEADING))
        yield "</li>"
    yield "</ul>"


def _html_line(item: Item, words: Mapping[str, str], level: int) -> str:
    relation = (
        f"<span class='relation'>{escape(words[item.relation])}:</span> " if item.relation else ""
    )
    if item.refers_to:
        place = escape(item.refers_to)
        link = f"#item-{place.replace('.', '-')}"
        return f"{relation}<a href='{link}'>{escape(words['see'])} {place}</a>"
    if item.kind in _CONTAINERS:
        name = escape(item.name)
        return f"{relation}<h{level}>{name}</h{level}>" if name else relation
    name = escape(item.name or words["image"] if item.kind == "IMAGE" else item.name)
    head = f"<span class='name'>{name}:</span> " if name else ""
    return f"{relation}{head}<span class='value'>{escape(item.value or words['empty'])}</span>"


def _text_lines(items: list[Item], words: Mapping[str, str], depth: int) -> Iterator[str]:
    for item in items:
        relation = f"[{words[item.relation]}] " if item.relation else ""
        yield "  " * depth + relation + _text_line(item, words, depth)
        yield from _text_lines(item.children, words, depth + 1)


def _text_line(item: Item, words: Mapping[str, str], depth: int) -> str:
    if item.refers_to:
        return f"{words['see']} {item.refers_to}"
    if item.kind in _CONTAINERS:
        return item.name
    value = (item.value or words["empty"]).replace("\n", "\n" + "  " * (depth + 1))
    return f"{item.name}: {value}" if item.name else value
