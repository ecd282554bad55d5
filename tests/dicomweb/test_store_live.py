"""STOW-RS against the running department, over real sockets."""

import base64
import io
import socket
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset

from benchmarks import machine
from tests.department import Department
from tests.dicom.objects import ct_image, part10
from tests.migrated import lay_into
from tests.waiting import wait_for

RELATED = 'multipart/related; type="application/dicom"; boundary=edge'
MEGABYTE = 1 << 20
USER = """
from django.contrib.auth.models import Group
from apps.accounts.models import User
user = User.objects.create_user("tech", password="correct horse battery")
user.groups.set(Group.objects.filter(name="technologist"))
"""


@pytest.fixture(scope="module")
def department(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Department]:
    running = Department(tmp_path_factory.mktemp("stow"), {})
    home = running.home / "var"
    home.mkdir()
    lay_into(home)
    try:
        running.start()
        running.run(sys.executable, "manage.py", "shell", "-c", USER)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def session(department: Department) -> requests.Session:
    """Somebody who has signed in, with the token of the pages."""
    made = requests.Session()
    page = f"{department.address}/account/login/"
    made.get(page, timeout=30)
    fields = {
        "username": "tech",
        "password": "correct horse battery",
        "csrfmiddlewaretoken": made.cookies["csrftoken"],
    }
    answer = made.post(page, data=fields, headers={"Referer": page}, timeout=30)
    assert answer.ok
    made.headers.update({"X-CSRFToken": str(made.cookies["csrftoken"]), "Referer": page})
    return made


def reread(*images: Dataset) -> list[Dataset]:
    return [dcmread(io.BytesIO(part10(one))) for one in images]


def kept(department: Department, *folders: str) -> list[Path]:
    spool = Path(department.environment["OPENPACS_HOME"]) / "spool"
    return [path for name in folders for path in (spool / name).rglob("*.*")]


def test_a_client_of_others_stores_and_finds(
    department: Department, session: requests.Session
) -> None:
    client = DICOMwebClient(f"{department.address}/dicom-web", session=session)
    first = ct_image()
    images = reread(first, ct_image(StudyInstanceUID=first.StudyInstanceUID))
    answer = client.store_instances(images)
    assert len(answer.ReferencedSOPSequence) == 2
    assert "FailedSOPSequence" not in answer
    again = client.store_instances(images[:1], study_instance_uid=first.StudyInstanceUID)
    assert again.RetrieveURL.endswith(first.StudyInstanceUID)
    found = client.search_for_instances(first.StudyInstanceUID)
    assert len(found) == 2


def test_an_upload_in_chunks_without_a_length_is_stored(
    department: Department, session: requests.Session
) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"--edge\r\nContent-Type: application/dicom\r\n\r\n"
        yield part10(ct_image())
        yield b"\r\n--edge--\r\n"

    answer = session.post(
        f"{department.address}/dicom-web/studies",
        chunks(),
        headers={"Content-Type": RELATED},
        timeout=30,
    )
    assert answer.status_code == 200
    assert len(answer.json()["00081199"]["Value"]) == 1


def test_twenty_at_once_make_one_study(department: Department, session: requests.Session) -> None:
    study, series = ct_image(), [ct_image().SeriesInstanceUID for _ in range(2)]
    images = [
        part10(
            ct_image(StudyInstanceUID=study.StudyInstanceUID, SeriesInstanceUID=series[number % 2])
        )
        for number in range(50)
    ]

    token = str(session.cookies["csrftoken"])

    def send(number: int) -> int:
        turned = images[number:] + images[:number]
        body = b"".join(
            b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in turned
        )
        answer = requests.post(
            f"{department.address}/dicom-web/studies",
            body + b"--edge--\r\n",
            headers={"X-CSRFToken": token, "Content-Type": RELATED},
            cookies=session.cookies,
            timeout=120,
        )
        return answer.status_code

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(send, range(20))) == {200}
    address = f"{department.address}/dicom-web/studies"
    (found,) = session.get(f"{address}?StudyInstanceUID={study.StudyInstanceUID}").json()
    assert found["00201206"]["Value"] == [2]
    assert found["00201208"]["Value"] == [50]


def request_head(department: Department, session: requests.Session, length: int) -> bytes:
    cookies = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
    lines = [
        "POST /dicom-web/studies HTTP/1.1",
        f"Host: localhost:{department.http_port}",
        f"Cookie: {cookies}",
        f"X-CSRFToken: {session.cookies['csrftoken']}",
        f"Content-Type: {RELATED}",
        f"Content-Length: {length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_an_upload_that_breaks_off_leaves_nothing(
    department: Department, session: requests.Session
) -> None:
    first, second = (part10(ct_image(PixelData=bytes(8 * MEGABYTE))) for _ in range(2))
    head = b"--edge\r\nContent-Type: application/dicom\r\n\r\n"
    with socket.create_connection(("localhost", department.http_port)) as line:
        line.sendall(request_head(department, session, 64 * MEGABYTE))
        line.sendall(head + first + b"\r\n" + head + second[: 4 * MEGABYTE])
        wait_for(lambda: len(kept(department, "staged")) == 2)
    wait_for(lambda: not kept(department, "staged"))
    assert not kept(department, "incoming", "failed", "partial")


def test_an_upload_is_taken_in_by_the_worker(
    department: Department, session: requests.Session
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("one", "two"):
            archive.writestr(name, part10(ct_image()))
    content = packed.getvalue()
    said = {"name": "disc.zip", "batch": "ab" * 16}
    coded = ",".join(f"{key} {base64.b64encode(said[key].encode()).decode()}" for key in said)
    files = f"{department.address}/studies/upload/files/"
    begun = session.post(
        files,
        headers={"Upload-Length": str(len(content)), "Upload-Metadata": coded},
        timeout=30,
    )
    address = department.address + begun.headers["Location"]
    for offset in range(0, len(content), 500):
        head = {
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
        }
        piece = content[offset : offset + 500]
        assert session.patch(address, piece, headers=head, timeout=30).status_code == 204
    found: list[Any] = []

    def is_done() -> bool:
        batch = f"{department.address}/studies/upload/batches/{said['batch']}/"
        found[:] = session.get(batch, timeout=30).json()["files"]
        return bool(found and found[0]["state"] == "done")

    wait_for(is_done)
    assert [line["outcome"] for line in found[0]["results"]] == ["stored", "stored"]


class Body:
    """One object of many frames, made while it is sent."""

    def __init__(self, megabytes: int) -> None:
        image = ct_image(Rows=1024, Columns=512, NumberOfFrames=megabytes, PixelData=b"\0\0")
        file = bytearray(part10(image))
        file[-6:-2] = (megabytes * MEGABYTE).to_bytes(4, "little")
        head = b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + bytes(file[:-2])
        self._pieces = [head, *[bytes(MEGABYTE)] * megabytes, b"\r\n--edge--\r\n"]
        self.length = sum(map(len, self._pieces))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def __len__(self) -> int:
        return self.length


def test_a_large_object_is_stored_in_little_memory(
    department: Department, session: requests.Session
) -> None:
    assert department._process
    roots = (department._process.pid,)
    most, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            most[0] = max(most[0], private_kib(roots))

    before = private_kib(roots)
    watcher = threading.Thread(target=watch)
    watcher.start()
    body = Body(300)
    try:
        answer = session.post(
            f"{department.address}/dicom-web/studies",
            data=body,
            headers={"Content-Type": RELATED, "Content-Length": str(body.length)},
            timeout=120,
        )
    finally:
        over.set()
        watcher.join()
    assert answer.status_code == 200, answer.text
    assert most[0] - before < 100 * 1024, f"{most[0] - before} KiB more"


def private_kib(roots: tuple[int, ...]) -> int:
    """Memory of its own (anonymous) of all processes below these."""
    total = 0
    for one in machine.family(roots):
        try:
            lines = Path(f"/proc/{one.pid}/status").read_text().splitlines()
        except FileNotFoundError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
    return total
