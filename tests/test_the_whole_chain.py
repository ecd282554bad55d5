"""One patient all the way through a running department, with real clients only.

A browser for the pages, DCMTK and the modality simulator for DICOM, bare sockets for HL7.
It runs on whatever the tests run on: the embedded engines, or PostgreSQL and Redis (then on
servers of its own). Nothing here imports a room.
"""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pydicom.data import get_testdata_file
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom import _config as pynetdicom_settings

from tests.browsing import Desk, brightness, open_browser
from tests.conftest import SAMPLES
from tests.department import Department
from tests.mllp_peer import ListeningPeer, send
from tests.servers import postgres, redis

pytestmark = [pytest.mark.browser, pytest.mark.peer, pytest.mark.engines]

SITE = """
version: 1
users:
  - {{username: clerk, given_name: Mona, family_name: Desk, roles: [front-desk]}}
  - {{username: tech, given_name: Tom, family_name: Room, roles: [technologist]}}
  - {{username: reader, title: Dr, given_name: Ingrid, family_name: Reader, roles: [radiologist]}}
  - {{username: learner, title: Dr, given_name: Lou, family_name: Learner, roles: [resident]}}
  - {{username: pacs, given_name: Sam, family_name: Archive, roles: [pacs-administrator]}}
procedures:
  - {{code: CTCHEST, meaning: CT chest, modality: CT, body_part: CHEST, duration_minutes: 20}}
referrers:
  - {{code: R1, title: Dr, given_name: Ella, family_name: Marchand}}
rooms:
  - {{name: CT 1, modality: CT, location: Ground floor}}
devices:
  - {{ae_title: CT1, name: CT scanner, modality: CT, station_name: CT1, room: CT 1}}
  - {{ae_title: DCMTK, name: Somebody else's tools, modality: CT, room: CT 1}}
hl7_partners:
  - name: Hospital
    application: HIS
    facility: HOSPITAL
    host: 127.0.0.1
    port: {port}
    receives_results: true
report_templates:
  - name: CT chest
    modality: CT
    technique: Helical acquisition without contrast agent.
    findings: Both lungs are clear.
    impression: Normal CT of the chest.
"""
ORM = """MSH|^~\\&|HIS|HOSPITAL|OPENPACS|RADIOLOGY|20260101080000||ORM^O01|CHAIN1|P|2.3.1
PID|1||H4711^^^HOSPITAL^MR||Doe^Jane^Q||19561103|F
PV1|1|O|OPD
ORC|NW|P100^HIS|||||^^^^^R||20260101080000|||R1^Marchand^Ella^^^Dr
OBR|1|P100^HIS||CTCHEST^CT chest^99OPACS||||||||||||R1^Marchand^Ella^^^Dr
"""
LOCAL = "127.0.0.1"
STORY = [
    "Order placed",
    "Appointment booked",
    "Step scheduled",
    "Patient arrived",
    "Step started",
    "Study received",
    "Study matched to its order",
    "Step completed",
    "Study viewed",
    "Report signed",
    "HL7 message sent",
]
FINDINGS = "A nodule of 7 mm in the right upper lobe."


@pytest.fixture(scope="module")
def peer() -> Iterator[ListeningPeer]:
    with ListeningPeer() as listening:
        yield listening


@pytest.fixture(scope="module")
def department(
    tmp_path_factory: pytest.TempPathFactory, peer: ListeningPeer
) -> Iterator[Department]:
    """A running department whose site file is imported."""
    with ExitStack() as servers:
        engines = {}
        if os.environ.get("REDIS_URL"):
            engines["DATABASE_URL"] = servers.enter_context(postgres())
            engines["REDIS_URL"] = servers.enter_context(redis())
        one = Department(tmp_path_factory.mktemp("department"), engines)
        one.start()
        try:
            yield one
        finally:
            assert one.stop() == 0, one.log


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield from open_browser(playwright)


@pytest.fixture(scope="module")
def desk(department: Department, browser: Browser, peer: ListeningPeer) -> Desk:
    """The department set up by its first user, ready for people to sign in."""
    desk = Desk(department, browser)
    link = department.wait_for(r"Make the first user here: (http\S+)")[1]
    desk.set_up(link)
    site = department.home / "site.yaml"
    site.write_text(SITE.format(port=peer.port))
    department.manage("site", "import", str(site))
    return desk


def register(clerk: Page, department: Department, family: str, given: str) -> None:
    """Register somebody of whose birth only the year is known."""
    clerk.goto(f"{department.address}/patients/new/")
    clerk.get_by_label("Family name").fill(family)
    clerk.get_by_label("Given name").fill(given)
    clerk.get_by_label("Year of birth").fill("1961")
    clerk.get_by_label("Sex", exact=True).select_option(label="Female")
    clerk.get_by_role("button", name="Register", exact=True).click()
    expect(
        clerk.get_by_text(re.compile(rf"{family}, {given}", re.IGNORECASE)).first
    ).to_be_visible()


def open_order(clerk: Page, department: Department, family: str) -> None:
    """A new patient, and the order form with a procedure and its room."""
    register(clerk, department, family, "Inés")
    clerk.get_by_role("link", name="New order").click()
    clerk.get_by_label("CT chest").check()
    expect(clerk.get_by_label("Room", exact=True)).to_be_visible()


def order_for_a_walk_in(clerk: Page, department: Department) -> str:
    """Register, order, book for now: the accession number."""
    open_order(clerk, department, "Álvarez")
    clerk.get_by_label("Reason for the exam").fill("Cough for six weeks")
    clerk.get_by_label("Referrer").select_option(label="Dr Ella Marchand")
    clerk.get_by_label("The patient is here now").check()
    clerk.get_by_role("button", name="Order and book").click()
    heading = clerk.get_by_role("heading", level=1)
    expect(heading).to_contain_text("Order")
    return heading.inner_text().split()[-1]


def ask_the_worklist(department: Department, accession: str) -> dict[str, str]:
    """The worklist line of an order as DCMTK reads it: tag to value."""
    answers = department.dcmtk(
        *("findscu", "-v", "-W", "-aet", "DCMTK", "-aec", "OPENPACS"),
        *("-k", "0008,0005", "-k", "0010,0010", "-k", "0010,0020", "-k", "0020,000d"),
        *("-k", f"0008,0050={accession}", "-k", "0040,0100[0].0008,0060=CT"),
        *("-k", "0040,0100[0].0040,0001=CT1", "127.0.0.1", str(department.dicom_port)),
    )
    found = re.findall(r"\((\w{4},\w{4})\) \w\w \[([^\]]+?)[ \0]*\]", answers)
    return dict(found)


def c_store(department: Department, file: Path) -> int:
    """The status a file gets whose bytes are sent as they are."""
    entity = AE(ae_title="CT1")
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = entity.associate(LOCAL, department.dicom_port, ae_title="OPENPACS")
    assert association.is_established
    try:
        return int(association.send_c_store(file).Status)
    finally:
        association.release()


def image_source() -> list[str]:
    folder = SAMPLES / "dicom" / "ct-lidc-0314"
    if folder.is_dir():
        return ["--images", str(folder)]
    return ["--phantom", "CT", "--slices", "94"]


def send_one_more(department: Department, line: dict[str, str], folder: Path) -> None:
    """One object with the worklist's identity, made and sent by DCMTK alone."""
    image = folder / "image.dcm"
    shutil.copy(str(get_testdata_file("CT_small.dcm")), image)
    changes = [f"-i={tag}={line[tag]}" for tag in ("0010,0010", "0010,0020", "0020,000d")]
    department.dcmtk(
        *("dcmodify", "-nb", "-gse", "-gin", "-i", "0008,0005=ISO_IR 192"),
        *(part for change in changes for part in change.split("=", 1)),
        *("-i", f"0008,0050={line['0008,0050']}", "-e", "0010,0030", "-e", "0010,0040"),
        str(image),
    )
    port = str(department.dicom_port)
    department.dcmtk(
        *("storescu", "-aet", "DCMTK", "-aec", "OPENPACS", "127.0.0.1", port, str(image))
    )


def look_at_images(reader: Page, desk: Desk) -> None:
    """The viewer shows a picture that is neither black nor empty."""
    with reader.expect_popup() as opened:
        reader.get_by_role("link", name=re.compile("Images")).first.click()
    viewer = opened.value
    canvas = viewer.locator("canvas.cornerstone-canvas, .cornerstone-canvas canvas, canvas").first
    canvas.wait_for(timeout=90_000)
    for _ in range(60):
        mean, spread = brightness(canvas.screenshot())
        if mean > 10 and spread > 20:
            break
        viewer.wait_for_timeout(500)
    else:
        raise AssertionError(f"the viewer stayed dark: mean {mean:.0f}, spread {spread:.0f}")
    viewer.close()


def sign(reader: Page, password: str) -> None:
    """Claim the exam, write the findings, sign with the password."""
    reader.get_by_label("Findings").fill(FINDINGS)
    reader.get_by_label("Password").fill(password)
    reader.get_by_role("button", name="Sign", exact=True).click()
    expect(reader.get_by_text("Signed versions")).to_be_visible()


def fail_to_sign_as_resident(desk: Desk, report_page: str) -> None:
    """A resident has no button to sign for good, and is refused without one too."""
    learner = desk.sign_in("learner")
    learner.goto(report_page)
    expect(learner.get_by_role("button", name="Sign", exact=True)).to_have_count(0)
    token = learner.locator("input[name=csrfmiddlewaretoken]").first.input_value()
    answer = learner.request.post(
        f"{report_page}sign/",
        form={
            "csrfmiddlewaretoken": token,
            "status": "final",
            "findings": "x",
            "revision": "0",
            "password": desk.passwords["learner"],
        },
        headers={"Referer": report_page},
    )
    assert answer.status == 403


def pdf_text(reader: Page, department: Department, folder: Path) -> str:
    link = reader.get_by_role("link", name="PDF").get_attribute("href")
    answer = reader.context.request.get(f"{department.address}{link}")
    assert answer.headers["content-type"] == "application/pdf"
    sheet = folder / "report.pdf"
    sheet.write_bytes(answer.body())
    return subprocess.run(
        ["pdftotext", "-layout", str(sheet), "-"], capture_output=True, text=True, check=True
    ).stdout


def story(desk: Desk, accession: str) -> list[str]:
    """What the journal says happened to an order, oldest first, each kind once."""
    pacs = desk.sign_in("pacs")
    pacs.goto(f"{desk.department.address}/admin/audit/event/?q={accession}")
    rows = pacs.locator("#result_list tbody .field-kind")
    return list(dict.fromkeys(reversed(rows.all_inner_texts())))


def in_order(wanted: Sequence[str], told: Iterable[str]) -> bool:
    """Do the wanted steps stand in what was told, in this order?"""
    rest = iter(told)
    return all(step in rest for step in wanted)


def wait_until(desk: Desk, accession: str, last: str) -> list[str]:
    deadline = time.monotonic() + 30
    while last not in (told := story(desk, accession)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return told


def test_one_patient_all_the_way_through(
    department: Department, desk: Desk, peer: ListeningPeer, tmp_path: Path
) -> None:
    clerk = desk.sign_in("clerk")
    desk.complaints.clear()  # a refusal that another test provoked is no error of this one
    accession = order_for_a_walk_in(clerk, department)
    line = ask_the_worklist(department, accession)
    assert line["0010,0010"] == "Álvarez^Inés"
    study_uid = line["0020,000d"]
    told = department.manage(
        *("modality", "--ae", "CT1", "--port", str(department.dicom_port)),
        *("--accession", accession, *image_source()),
    )
    assert "94" in told
    send_one_more(department, line, tmp_path)

    reader = desk.sign_in("reader")
    reader.goto(department.address)
    expect(reader.get_by_role("row").filter(has_text="lvarez")).to_contain_text("95")
    look_at_images(reader, desk)
    reader.get_by_role("link", name=re.compile("lvarez")).click()
    fail_to_sign_as_resident(desk, reader.url)
    assert desk.complaints == []
    sign(reader, desk.passwords["reader"])

    message = peer.wait_for("ORU^R01")
    assert accession in message
    assert study_uid in message
    assert "A nodule of 7 mm" in message
    assert FINDINGS in pdf_text(reader, department, tmp_path)
    journal = wait_until(desk, accession, last="HL7 message sent")
    assert in_order(STORY, journal), journal
    assert desk.strangers == []
    assert "lvarez" not in department.log


def test_an_order_by_hl7_reaches_the_front_desk(department: Department, desk: Desk) -> None:
    assert "MSA|AA|CHAIN1" in send(department.hl7_port, ORM)
    clerk = desk.sign_in("clerk")
    clerk.goto(f"{department.address}/patients/?q=H4711")
    expect(clerk.get_by_text("oe, Jane").first).to_be_visible()


def test_a_stranger_and_garbage_are_refused_and_the_listeners_live(
    department: Department, desk: Desk
) -> None:
    port = str(department.dicom_port)
    with pytest.raises(AssertionError, match="Calling AE Title Not Recognized"):
        department.dcmtk("echoscu", "-v", "-aet", "STRANGER", "-aec", "OPENPACS", LOCAL, port)
    for listener in (department.dicom_port, department.hl7_port):
        with socket.create_connection((LOCAL, listener), timeout=30) as line:
            line.sendall(b"GET / HTTP/1.1\r\n\r\n" + os.urandom(4096))
            line.shutdown(socket.SHUT_WR)
            while line.recv(4096):
                pass
    department.dcmtk("echoscu", "-aet", "CT1", "-aec", "OPENPACS", LOCAL, port)
    assert "MSA|AA|CHAIN1" in send(department.hl7_port, ORM), "a repeat is answered as before"


def test_bytes_that_are_no_dicom_are_refused_and_nothing_is_kept(
    department: Department, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pynetdicom then sends the bytes of the file unread.
    monkeypatch.setattr(pynetdicom_settings, "STORE_SEND_CHUNKED_DATASET", True)
    broken = tmp_path / "broken.dcm"
    whole = Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()
    broken.write_bytes(whole[:400] + os.urandom(2000))
    assert c_store(department, broken) in {0xA900, 0xC000}  # does not match, cannot understand
    assert not list((department.home / "var" / "spool").rglob("*.dcm"))


def test_an_order_without_a_patient_is_refused(department: Department, desk: Desk) -> None:
    without = "\n".join(line for line in ORM.splitlines() if not line.startswith("PID"))
    answer = send(department.hl7_port, without.replace("CHAIN1", "CHAIN2"))
    assert "MSA|AE|CHAIN2" in answer
    assert "PID" in answer


def test_a_room_is_not_booked_twice_at_one_time(department: Department, desk: Desk) -> None:
    clerk = desk.sign_in("clerk")
    for family in ("Early", "Late"):
        open_order(clerk, department, family)
        with clerk.expect_response(re.compile("free-times")):
            clerk.get_by_label("Day").fill("2030-01-07")
        expect(clerk.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
        clerk.get_by_label("Another time").fill("10:00")
        clerk.get_by_role("button", name="Order and book").click()
    expect(clerk.get_by_text("The next free times")).to_be_visible()
    expect(clerk.get_by_role("alert")).to_be_visible()
    clerk.goto(f"{department.address}/orders/?q=Late")
    expect(clerk.get_by_role("row").filter(has_text="LATE")).to_have_count(0)
