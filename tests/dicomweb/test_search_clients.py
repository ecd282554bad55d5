"""QIDO-RS asked by clients that are not ours, over a real connection."""

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from django.conf import settings
from django.test import Client

from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep

pytestmark = pytest.mark.django_db(transaction=True)

# Names in the character sets of PS3.5 annexes H, I and J, as they come out in UTF-8.
NAMES = {
    "ISO_IR 100": "Buc^Jérôme",
    "ISO_IR 101": "Wałęsa",
    "ISO_IR 126": "Διονυσιος",
    "ISO_IR 127": "قباني^لنزار",
    "ISO_IR 138": "שרון^דבורה",
    "ISO_IR 144": "Щукин",
    "ISO_IR 148": "Çavuşoğlu",
    "ISO_IR 166": "สมชาย",
    "ISO_IR 13": "ﾔﾏﾀﾞ^ﾀﾛｳ",
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
    "ISO_IR 192": "Wang^XiaoDong=王^小東",
    "GB18030": "Wang^XiaoDong=王^小东",
}
GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


@pytest.fixture
def url(live_server: Any) -> str:
    return f"{live_server.url}/dicom-web"


@pytest.fixture
def cookies(radiologist: Client) -> dict[str, str]:
    name = settings.SESSION_COOKIE_NAME
    return {name: radiologist.cookies[name].value}


@pytest.fixture
def library(url: str, cookies: dict[str, str]) -> Iterator[DICOMwebClient]:
    with requests.Session() as session:
        session.cookies.update(cookies)
        yield DICOMwebClient(url, session=session)


@pytest.fixture
def plain(url: str, cookies: dict[str, str]) -> Iterator[Callable[[str], Any]]:
    """A bare HTTP client: the path and query of an address -> JSON."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())

    def ask(address: str) -> Any:
        headers = {"Accept": "application/dicom+json", "Cookie": cookie}
        connection.request("GET", f"{where.path}/{address}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return json.loads(body)

    yield ask
    connection.close()


def test_two_clients_find_the_same(
    keep: Keep, library: DICOMwebClient, plain: Callable[[str], Any]
) -> None:
    """Levels, pages, keys, fields, counters and who is not there, on one small archive."""
    first = ct_image(PatientID="P1", PatientName="Щукин^Анна", Rows=4, StudyDate="20260101")
    second = ct_image(PatientID="P2", StudyDate=None, PatientBirthDate="", PatientSex=None)
    third = ct_image(PatientID="P3", StudyDate="20260303", Modality="MR")
    for one in (first, second, third):
        keep(one)
    uid, series = str(first.StudyInstanceUID), str(first.SeriesInstanceUID)

    pages = [library.search_for_studies(limit=1, offset=start) for start in range(4)]
    assert [len(page) for page in pages] == [1, 1, 1, 0]
    assert [row for page in pages for row in page] == plain("studies")
    assert library.search_for_studies(get_remaining=True, limit=2) == plain("studies")

    found = library.search_for_series(uid, fields=["BitsAllocated"])
    assert found == plain(f"studies/{uid}/series?includefield=00280100")
    assert library.search_for_instances(uid, series) == plain(
        f"studies/{uid}/series/{series}/instances"
    )
    assert library.search_for_instances(search_filters={"Rows": 4}) == plain("instances?Rows=4")
    assert library.search_for_studies(search_filters={"Rows": 128}) == []

    (row,) = library.search_for_studies(search_filters={"PatientName": "щУк*"})
    assert row["00100010"]["Value"] == [{"Alphabetic": "Щукин^Анна"}]
    assert row["00201206"] == {"vr": "IS", "Value": [1]}
    (row,) = library.search_for_studies(search_filters={"PatientID": "P2"})
    assert (row["00080020"], row["00100040"]) == ({"vr": "DA"}, {"vr": "CS"})

    # Unknown parents are refused, at every nesting.
    for arguments in (["1.2"], ["1.2", series], [uid, "1.2"]):
        with pytest.raises(requests.HTTPError, match="404"):
            library.search_for_instances(*arguments)


def test_names_of_every_character_set_are_answered_in_utf_8(
    keep: Keep, library: DICOMwebClient, plain: Callable[[str], Any]
) -> None:
    for number, (character_set, name) in enumerate(NAMES.items()):
        keep(
            ct_image(
                SpecificCharacterSet=character_set.split("\\"),
                PatientName=name,
                PatientID=f"P{number:02}",
                StudyDescription=None,
                SeriesDescription=None,
            )
        )
    rows = {row["00100020"]["Value"][0]: row for row in library.search_for_studies()}
    for number, name in enumerate(NAMES.values()):
        row = rows[f"P{number:02}"]
        expected = dict(zip(GROUPS, name.split("="), strict=False))
        assert row["00100010"]["Value"] == [expected], name
        assert row["00080005"]["Value"] == ["ISO_IR 192"]
    assert len(plain("studies?PatientName=*%E5%B1%B1%E7%94%B0*")) == 1
