"""Bytes to fields and back: delimiters, line ends, character sets, escapes."""

import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.hl7 import fields
from apps.hl7.charsets import codec_of
from apps.hl7.messages import (
    UTF8,
    Delimiters,
    MessageError,
    body,
    build_message,
    build_segment,
    escape,
    join,
    parse,
    split_batch,
    unescape,
)

VIENNA = ZoneInfo("Europe/Vienna")
HEADER = "MSH|^~\\&|HIS|HOSP|||20240117080000||ADT^A08|1|P|2.5.1"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def message(*segments: str, header: str = HEADER) -> bytes:
    return "\r".join((header, *segments, "")).encode()


def family_name(raw: bytes, **options: str) -> str:
    pid = parse(raw, **options).first("PID")
    assert pid is not None
    return pid.get(5)


@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "{ending}"])
def test_every_line_end_is_read(ending: str, last: str) -> None:
    text = ending.join((HEADER, "PID|1||7^^^A||Doe^Jane")) + last.format(ending=ending)
    assert family_name(text.encode()) == "Doe"


def test_a_byte_order_mark_and_blank_lines_before_the_header_are_passed_over() -> None:
    assert family_name(b"\xef\xbb\xbf\r\n" + message("PID|1||7||Doe")) == "Doe"
    assert family_name(b"\r\n\r\n" + message("PID|1||7||Doe")) == "Doe"


def test_the_delimiters_are_those_of_the_header() -> None:
    raw = b"MSH%*@!?%HIS%HOSP%%%2024%%ADT*A08%1%P%2.5.1\rPID%1%%7***A?1.2.3@8%%O!S!B*Jane\r"
    parsed = parse(raw)
    pid = parsed.first("PID")
    assert pid is not None
    assert parsed.message_type == "ADT^A08"
    assert pid.get(5) == "O*B"
    assert fields.read_identifiers(pid, 3) == [
        fields.Identifier(value="7", namespace="A"),
        fields.Identifier(value="8"),
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"PID|1",
        b"MSH",
        b"MSH|",
        b"MSH||||",
        b"MSH|^^^^|a",
        b"MSHAAAAAAA",
        b"MSH|^|\\&|",
        b"\x00\xff\xfe",
        b"MSH\r\r\r",
    ],
)
def test_what_is_no_message_is_refused_or_read_never_a_crash(raw: bytes) -> None:
    try:
        parse(raw)
    except MessageError:
        return
    assert raw.startswith(b"MSH|")


@given(st.binary(max_size=200))
def test_no_bytes_make_the_parser_crash(raw: bytes) -> None:
    for candidate in (raw, b"MSH|^~\\&|" + raw):
        try:
            parsed = parse(candidate)
        except MessageError:
            continue
        assert parsed.header.name == "MSH"


@pytest.mark.parametrize(
    ("charset", "codec", "name"),
    [
        ("8859/1", "iso8859-1", "Müller"),
        ("8859/5", "iso8859-5", "Жюль"),
        ("8859/6", "iso8859-6", "قباني"),
        ("UNICODE UTF-8", "utf-8", "ปิยะ"),
        ("~ISO IR87", "iso2022_jp", "山田"),
        ("GB 18030-2000", "gb18030", "王"),
    ],
)
def test_the_header_names_the_character_set(charset: str, codec: str, name: str) -> None:
    text = f"{HEADER}||||||{charset}\rPID|1||7||{name}\r"
    assert family_name(text.encode(codec)) == name


def test_without_a_named_set_the_partner_decides() -> None:
    raw = message("PID|1||7||ปิยะ").decode().encode("tis-620")
    assert family_name(raw, default_charset="TIS-620") == "ปิยะ"


def test_text_that_is_in_no_allowed_set_is_refused_rather_than_guessed() -> None:
    raw = message("PID|1||7||M\u00fcller").decode().encode("latin-1")
    with pytest.raises(MessageError, match="character set"):
        parse(raw)


def test_codecs_that_are_no_character_sets_are_unknown() -> None:
    assert codec_of("base64") is None
    assert codec_of("no such set") is None
    assert codec_of("windows-1252") == "cp1252"


def test_a_line_that_begins_no_segment_continues_the_text_before_it() -> None:
    raw = message("OBX|1|TX|||first line\nsecond line\r\nThird line|F")
    obx = parse(raw).first("OBX")
    assert obx is not None
    assert obx.get(5) == "first line\nsecond line\nThird line"


@given(TEXTS)
def test_escapes_give_back_what_was_written(text: str) -> None:
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert unescape(escape(text)) == expected


@given(TEXTS, TEXTS)
def test_nothing_in_a_name_leaves_its_component(family: str, given_name: str) -> None:
    pid = build_segment("PID", "1", "", "7", "", join(family, given_name, "end"), "", "x")
    raw = build_message(
        ["A", "", "B", "", "2024", "", "ADT^A08", "1", "P", "2.5.1"], [pid], charset=UTF8
    )
    parsed = parse(raw)
    assert [segment.name for segment in parsed.segments] == ["MSH", "PID"]
    found = parsed.segments[1]
    expected = [
        one.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").strip()
        for one in (family, given_name)
    ]
    assert [found.get(5), found.get(5, 2), found.get(5, 3), found.get(7)] == [*expected, "end", "x"]


def test_an_injected_segment_stays_one_field() -> None:
    name = "Doe\rOBX|1|ST|X||evil\r\nZZZ|~^&\\"
    raw = build_message(["A"], [build_segment("PID", "1", "", "7", "", join(name))], charset=UTF8)
    assert raw.count(b"\r") == 2
    assert family_name(raw) == name.replace("\r\n", "\n").replace("\r", "\n")


def test_a_text_that_the_set_cannot_write_goes_out_in_utf8() -> None:
    raw = build_message(["A"], [build_segment("PID", "", "", "", "", "山田")], charset="8859/1")
    assert parse(raw).header.get(18) == UTF8
    assert family_name(raw) == "山田"


@pytest.mark.parametrize(
    ("coded", "text"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e\f"),
        (r"one\.br\two\.sp2\three", "one\ntwo\n\nthree"),
        (r"\H\bold\N\ ", "bold "),
        (r"\X4D\\XC3BC\ller", "Müller"),
        (r"\XE4\h", "äh"),
        (r"\Zunknown\ kept", r"\Zunknown\ kept"),
        ("C:\\temp", "C:\\temp"),
    ],
)
def test_escapes_are_read(coded: str, text: str) -> None:
    assert unescape(coded) == text


def test_escapes_use_the_delimiters_of_their_message() -> None:
    own = Delimiters("%", "*", "@", "!", "?")
    assert unescape(escape("a%b*c", own), own) == "a%b*c"


@pytest.mark.parametrize(
    ("text", "iso", "precision"),
    [
        ("1980", "1980-01-01T00:00:00+01:00", "year"),
        ("198005", "1980-05-01T00:00:00+02:00", "month"),
        ("19800500", "1980-05-01T00:00:00+02:00", "month"),
        ("19800000", "1980-01-01T00:00:00+01:00", "year"),
        ("19800517", "1980-05-17T00:00:00+02:00", "day"),
        ("202401170830", "2024-01-17T08:30:00+01:00", "time"),
        ("20240117083015.1234-0500", "2024-01-17T08:30:15-05:00", "time"),
    ],
)
def test_times_are_read_to_their_precision(text: str, iso: str, precision: str) -> None:
    moment = fields.read_moment(text, zone=VIENNA)
    assert moment is not None
    assert (moment.at, moment.precision) == (datetime.datetime.fromisoformat(iso), precision)


@pytest.mark.parametrize("text", ["19801", "19801317", "20240230", "soon", "0000", "99991231+2400"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(fields.FieldError):
        fields.read_moment(text, zone=VIENNA)


def test_names_swap_prefix_and_suffix_between_hl7_and_dicom() -> None:
    pid = parse(message("PID|1||7||Doe&von^Jane^M^Jr^Dr^^L~山田^太郎^^^^^L^I")).first("PID")
    assert pid is not None
    latin, ideographic = fields.read_names(pid, 5)
    assert latin.group == "Doe^Jane^M^Dr^Jr"
    assert (ideographic.group, ideographic.representation) == ("山田^太郎", "I")
    assert fields.write_name(latin.group) == "Doe^Jane^M^Jr^Dr^^L"


def test_a_batch_gives_its_messages() -> None:
    raw = b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + message("PID|1") * 2 + b"BTS|2\rFTS|1\r"
    assert [parse(one).control_id for one in split_batch(raw)] == ["1", "1"]
    assert split_batch(b"PID|1") == [b"PID|1"]


def test_messages_strung_together_without_a_batch_are_told_apart() -> None:
    assert len(split_batch(message("PID|1") + message("PID|2"))) == 2
    assert split_batch(message("OBX|1|TX|||MSHA")) == [message("OBX|1|TX|||MSHA")]


def test_the_body_is_what_follows_the_header() -> None:
    assert body(message("PID|1")) == body(b"\xef\xbb\xbfMSH|^~\\&|other\n" + b"PID|1")


@pytest.mark.samples
def test_all_sample_messages_can_be_read(samples: Path) -> None:
    files = [path for path in (samples / "hl7").rglob("*") if path.is_file()]
    assert len(files) == 266
    for path in files:
        parsed = parse(path.read_bytes())
        assert parsed.message_type, path.name
        assert len(parsed.segments) > 1, path.name
