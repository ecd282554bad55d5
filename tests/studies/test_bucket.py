"""DICOM files on S3, against a real server of another make (moto)."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from apps.audit.services import Origin
from apps.studies.models import Instance, Study
from apps.studies.services import (
    Outcome,
    kept_instances,
    rebuild_index,
    store_instances,
    verify_files,
)
from apps.studies.spool import Spool
from apps.studies.storage import (
    BucketStorage,
    FolderStorage,
    StorageError,
    dicom_storage,
    stored_files,
)
from tests.dicom.objects import ct_image, part10

# botocore leaves connections to a server that is gone to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("cut_connections"),
]
BUCKET = "images"
KEYS: dict[str, Any] = {
    "aws_access_key_id": "key",
    "aws_secret_access_key": "secret",
    "region_name": "us-east-1",
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address)
        boto3.client("s3", endpoint_url=address, **KEYS).create_bucket(Bucket=BUCKET)
        yield address
    finally:
        server.terminate()
        server.wait(10)


def wait_for(address: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(address, timeout=2).close()
        except urllib.error.HTTPError as answer:
            answer.close()
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(address)


@pytest.fixture
def bucket(endpoint: str, settings: Any) -> Any:
    """The site's storage moved to the bucket; answers a client to look behind its back."""
    query = f"endpoint_url={endpoint}&region_name=us-east-1&access_key=key&secret_key=secret"
    location = f"s3://{BUCKET}/hospital?{query}"
    settings.STORAGES = {
        **settings.STORAGES,
        "dicom": {
            "BACKEND": "apps.studies.storage.dicom_storage",
            "OPTIONS": {"location": location},
        },
    }
    return boto3.resource("s3", endpoint_url=endpoint, **KEYS).Bucket(BUCKET)


@pytest.mark.django_db
def test_a_file_goes_to_the_bucket_and_then_leaves_the_spool(
    spool: Spool, origin: Origin, bucket: Any
) -> None:
    content = part10(ct_image())
    (stored,) = store_instances([spool.write([content])], origin=origin)
    assert stored.outcome is Outcome.STORED
    row = Instance.objects.get()
    kept = bucket.Object(f"hospital/{row.file_name}").get()["Body"].read()
    assert kept == content
    assert not spool.waiting()
    assert row.frame_table is not None
    ((offset, length),) = row.frame_table
    assert stored_files().read(row.file_name, offset, length) == content[-48:]
    with pytest.raises(StorageError):
        stored_files().read(row.file_name, offset, length + 100)
    with pytest.raises(StorageError, match="download failed"):
        stored_files().read("studies/nothing.dcm", 0, 10)
    (again,) = store_instances([spool.write([content])], origin=origin)
    assert again.outcome is Outcome.DUPLICATE
    assert kept_instances([row.sop_instance_uid])[row.sop_instance_uid].whole
    bucket.Object(f"hospital/{row.file_name}").delete()
    assert not kept_instances([row.sop_instance_uid])[row.sop_instance_uid].whole


@pytest.mark.django_db
def test_other_file_meta_around_the_same_object_are_a_duplicate(
    spool: Spool, origin: Origin, bucket: Any
) -> None:
    image = ct_image()
    sent = [spool.write([part10(image, source=name)]) for name in ("CT1", "CT22")]
    outcomes = [one.outcome for one in store_instances(sent, origin=origin)]
    assert outcomes == [Outcome.STORED, Outcome.DUPLICATE]


@pytest.mark.django_db
def test_a_bucket_that_is_away_leaves_files_in_the_spool(
    spool: Spool, origin: Origin, settings: Any
) -> None:
    location = "s3://images/?endpoint_url=http://127.0.0.1:9&access_key=a&secret_key=b"
    settings.STORAGES = {
        **settings.STORAGES,
        "dicom": {
            "BACKEND": "apps.studies.storage.dicom_storage",
            "OPTIONS": {"location": f"{location}&region_name=us-east-1"},
        },
    }
    path = spool.write([part10(ct_image())])
    with pytest.raises(StorageError, match="upload failed"):
        store_instances([path], origin=origin)
    assert spool.waiting() == [path]
    assert not Study.objects.exists()


def test_the_address_decides_between_folder_and_bucket() -> None:
    assert isinstance(dicom_storage("/srv/dicom"), FolderStorage)
    made: Any = dicom_storage("s3://images/a/b?region_name=eu-west-1&bucket_name=evil")
    assert made.bucket_name == "images"
    assert made.key_of("x.dcm") == "a/b/x.dcm"
    assert isinstance(made, BucketStorage)


@pytest.mark.django_db
def test_the_index_is_rebuilt_and_verified_from_the_bucket(
    spool: Spool, origin: Origin, bucket: Any
) -> None:
    for stale in bucket.objects.all():
        stale.delete()
    images = [ct_image(SOPInstanceUID=f"2.25.9{number}") for number in range(3)]
    store_instances([spool.write([part10(image)]) for image in images], origin=origin)
    Study.objects.all().delete()
    assert rebuild_index(origin=origin).added == 3
    damaged = Instance.objects.earliest("pk")
    bucket.Object(f"hospital/{damaged.file_name}").put(Body=b"half")
    found = verify_files(origin=origin)
    assert (found.whole, found.damaged) == (2, [damaged.file_name])
