"""Keys against data sets in hand."""

import re
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.dicom.keys import make_key
from apps.dicom.matching import fits, name_fits, wildcard_fits

LETTERS = st.text(alphabet="AB*?[.", max_size=12)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(pattern=LETTERS, text=st.text(alphabet="AB[.?", max_size=12))
def test_a_wildcard_fits_as_a_regular_expression_would(pattern: str, text: str) -> None:
    wanted = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    assert wildcard_fits(pattern, text) == bool(re.fullmatch(wanted, text, re.DOTALL))


def test_no_pattern_is_expensive() -> None:
    began = time.process_time()
    assert not wildcard_fits("*A" * 300 + "B", "A" * 2_000)
    assert time.process_time() - began < 5


def test_names_fit_by_any_group_without_case_and_accents() -> None:
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert name_fits("YAMADA^*", name)
    assert name_fits("山田^太郎", name)
    assert not name_fits("Tarou", name)
    assert name_fits("muller^jorg", "Müller^Jörg")


def test_keys_of_one_sequence_have_to_fit_one_item() -> None:
    def item(value: str, scheme: str) -> dict[str, dict[str, object]]:
        return {
            "00080100": {"vr": "SH", "Value": [value]},
            "00080102": {"vr": "SH", "Value": [scheme]},
        }

    found = {"00081032": {"vr": "SQ", "Value": [item("A", "X"), item("B", "Y")]}}
    path = "ProcedureCodeSequence"

    def both(value: str, scheme: str) -> bool:
        keys = [
            make_key([path, "CodeValue"], [value]),
            make_key([path, "CodingSchemeDesignator"], [scheme]),
        ]
        return fits(keys, found)

    assert both("A", "X")
    assert not both("A", "Y")


def test_moments_with_an_offset_are_compared_as_moments() -> None:
    found = {"0008002A": {"vr": "DT", "Value": ["20260601120000+0200"]}}

    def fit(value: str) -> bool:
        return fits([make_key(["AcquisitionDateTime"], [value])], found)

    assert fit("20260601090000-20260601110000")
    assert not fit("20260601110000-20260601130000")
    assert fit("20260601110000+0100-")
    assert fit("20260601050000-0500")
    assert not fit("-20260531")
