"""Structured reports as a page without scripts, and as plain text (PS3.18 8.7.3.6)."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from pydicom.dataset import Dataset

from apps.dicom.rendering.dose import dose_tables, shown_name
from apps.dicom.rendering.options import JPEG
from apps.dicom.rendering.pages import facts, figure, notice, page, table
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
    "totals": "Totals",
    "events": "Irradiations",
    "number": "No.",
    "everything": "Everything in the report",
    "absent": "This image is not in the archive.",
}
_CONTAINERS = ("CONTAINER", "")
_DEEPEST_HEADING = 6
_NOBODY = ("", "unknown", "unknown unknown")  # what programs write for want of a name


Pictures = Mapping[str, bytes]  # JPEG by SOP Instance UID; empty where there is no image


def as_html(
    dataset: Dataset,
    words: Mapping[str, str],
    pictures: Pictures | None = None,
    saved: Sequence[str] = (),
) -> str:
    """A whole page; everything out of the report is escaped.

    `saved`: who saved it here and when, where that is known. Programs write reports for people
    whose names they do not know: that person is then its observer.
    """
    root = _named(content_of(dataset), saved)
    title = root.name or words["report"]
    tables = dose_tables(root, words)
    body = "".join(_html_items(root.children, _Manner(words, pictures or {}), 2))
    if tables:
        body = f"<details><summary>{escape(words['everything'])}</summary>{body}</details>"
    shown = "".join(table(one.title, one.columns, one.rows) for one in tables)
    about = facts(_about(dataset, words, saved))
    return page(title, f"{about}{shown}{body}", words.get("language", "en"))


def as_sheet(
    dataset: Dataset, words: Mapping[str, str], saved: Sequence[str] = ()
) -> dict[str, Any]:
    """The report as rows that a sheet of paper is laid out from, in words that JSON takes.

    `lines` are (depth, relation, name, value, heading or not).
    """
    root = _named(content_of(dataset), saved)
    return {
        "title": root.name or words["report"],
        "about": [list(one) for one in _about(dataset, words, saved)],
        "tables": [dataclasses.asdict(one) for one in dose_tables(root, words)],
        "lines": list(_sheet_lines(root.children, words, 0)),
    }


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


@dataclasses.dataclass(frozen=True)
class _Manner:
    """In which words, with which pictures; of those each is shown once."""

    words: Mapping[str, str]
    pictures: Pictures
    shown: set[str] = dataclasses.field(default_factory=set)


def _html_items(items: list[Item], how: _Manner, level: int) -> Iterator[str]:
    if not items:
        return
    yield "<ul>"
    for item in items:
        yield f"<li id='item-{item.place.replace('.', '-')}'>{_html_line(item, how.words, level)}"
        yield from _html_pictures(item, how)
        yield from _html_items(item.children, how, min(level + 1, _DEEPEST_HEADING))
        yield "</li>"
    yield "</ul>"


def _html_pictures(item: Item, how: _Manner) -> Iterator[str]:
    for uid, frame in item.images:
        if uid not in how.pictures or uid in how.shown:
            continue
        how.shown.add(uid)
        picture = how.pictures[uid]
        caption = f"{item.name or how.words['image']} {frame if frame > 1 else ''}".strip()
        yield figure(picture, JPEG, caption) if picture else notice(how.words["absent"])


def _html_line(item: Item, words: Mapping[str, str], level: int) -> str:
    relation = (
        f"<span class='relation'>{escape(words[item.relation])}:</span> " if item.relation else ""
    )
    if item.refers_to:
        place = escape(item.refers_to)
        link = f"#item-{place.replace('.', '-')}"
        return f"{relation}<a href='{link}'>{escape(words['see'])} {place}</a>"
    name = escape(_name(item, words))
    if item.kind in _CONTAINERS:
        return f"{relation}<h{level}>{name}</h{level}>" if name else relation
    head = f"<span class='name'>{name}:</span> " if name else ""
    return f"{relation}{head}<span class='value'>{escape(item.value or words['empty'])}</span>"


def _name(item: Item, words: Mapping[str, str]) -> str:
    return shown_name(item) or (words["image"] if item.kind == "IMAGE" else "")


def _sheet_lines(items: list[Item], words: Mapping[str, str], depth: int) -> Iterator[list[Any]]:
    for item in items:
        relation = words[item.relation] if item.relation else ""
        value = f"{words['see']} {item.refers_to}" if item.refers_to else item.value
        heading = item.kind in _CONTAINERS and not item.refers_to
        if not heading and not value:
            value = words["empty"]
        if not heading or item.name:
            yield [depth, relation, _name(item, words), value, heading]
        yield from _sheet_lines(item.children, words, depth + 1)


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
    name = shown_name(item)
    value = (item.value or words["empty"]).replace("\n", "\n" + "  " * (depth + 1))
    return f"{name}: {value}" if name else value
