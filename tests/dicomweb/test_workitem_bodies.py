"""No body that is sent to UPS-RS breaks it."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workitems.samples import KEY, planned, state

pytestmark = pytest.mark.django_db

PLAIN: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=80),
    st.sampled_from(["SCHEDULED", "IN PROGRESS", "20260601", "00010101", "1.2.3", "9" * 400]),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["Alphabetic", "vr", "Value", "00080100"]), inner),
    ),
    max_leaves=6,
)
VRS = st.sampled_from(
    [
        *[
            "AE",
            "AS",
            "AT",
            "CS",
            "DA",
            "DS",
            "DT",
            "FD",
            "FL",
            "IS",
            "LO",
            "LT",
            "OB",
            "OW",
            "PN",
            "SH",
            "SL",
            "SQ",
            "SS",
            "ST",
            "TM",
            "UC",
            "UI",
            "UL",
            "UN",
            "UR",
            "US",
        ]
    ]
)
TAGS = st.one_of(
    st.sampled_from([*planned(), "00100010", "00404025", "00404034", "00081195", "00741002"]),
    st.from_regex(r"[0-9A-F]{8}", fullmatch=True),
)
ELEMENTS = st.fixed_dictionaries(
    {"vr": st.one_of(VRS, PLAIN)},
    optional={"Value": VALUES, "InlineBinary": PLAIN, "BulkDataURI": PLAIN},
)
CHANGES = st.dictionaries(TAGS, st.one_of(ELEMENTS, VALUES), min_size=1, max_size=3)


@pytest.fixture
def client(as_role: Callable[[str], Client]) -> Client:
    return as_role("technologist")


@given(CHANGES)
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_strange_bodies_are_taken_or_refused(client: Client, changes: dict[str, Any]) -> None:
    kind = "application/dicom+json"
    try:
        body = orjson.dumps(changes)
    except TypeError:  # a lone surrogate: cannot be sent
        return
    whole = orjson.dumps(planned() | changes)
    made = client.post("/dicom-web/workitems", whole, content_type=kind)
    assert made.status_code in (201, 400)
    address = made["Location"] if made.status_code == 201 else "/dicom-web/workitems/1.2.3"
    for answer in (
        client.get(address),
        client.post(address, body, content_type=kind),
        client.put(f"{address}/state", orjson.dumps(state("IN PROGRESS")), content_type=kind),
        client.post(f"{address}?{KEY}", body, content_type=kind),
        client.put(f"{address}/state", body, content_type=kind),
        client.post(f"{address}/cancelrequest", body, content_type=kind),
    ):
        assert answer.status_code < 500
