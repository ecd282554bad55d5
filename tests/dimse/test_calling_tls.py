"""Devices that are called over TLS show their own certificate, or hear nothing from us."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE

from apps.audit.services import Origin
from apps.dimse import tls
from apps.dimse.services import echo
from apps.worklist.models import Device
from tests.dimse.certificates import Authority, Pair
from tests.factories import DeviceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
def its(authority: Authority) -> Pair:
    return authority.vouch("archive")


@pytest.fixture(autouse=True)
def _ours(authority: Authority, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = authority.vouch("openpacs")
    settings.OPENPACS_DICOM_TLS_CERTIFICATE = str(pair.certificate)
    settings.OPENPACS_DICOM_TLS_KEY = str(pair.key)
    settings.OPENPACS_DICOM_TLS_CA = str(authority.file)
    monkeypatch.setattr(tls._client, "_made", None)


@pytest.fixture
def far(authority: Authority, its: Pair) -> Iterator[Device]:
    """An archive that speaks TLS only, and only to who shows a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.file))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(its.certificate, its.key)
    entity = AE(ae_title="FAR")
    entity.add_supported_context("1.2.840.10008.1.1")
    server = entity.start_server(("127.0.0.1", 0), block=False, ssl_context=context)
    assert server is not None
    made: Device = DeviceFactory.create(
        ae_title="FAR", host="127.0.0.1", port=server.server_address[1], tls=True
    )
    yield made
    server.shutdown()


def test_a_device_is_called_over_tls(far: Device, its: Pair, origin: Origin) -> None:
    assert echo(far, origin=origin).success
    far.certificate_sha256 = its.fingerprint
    assert echo(far, origin=origin).success


def test_another_certificate_than_its_own_is_refused(
    far: Device, authority: Authority, origin: Origin
) -> None:
    far.certificate_sha256 = authority.vouch("somebody").fingerprint
    result = echo(far, origin=origin)
    assert not result.success
    assert result.message == "The device shows another certificate than its own."


def test_an_authority_we_do_not_trust_vouches_for_nobody(
    far: Device, tmp_path: Path, settings: Any, origin: Origin
) -> None:
    settings.OPENPACS_DICOM_TLS_CA = str(Authority(tmp_path / "other").file)
    assert not echo(far, origin=origin).success


def test_files_that_cannot_be_used_are_named(far: Device, settings: Any, origin: Origin) -> None:
    settings.OPENPACS_DICOM_TLS_CA = "/nowhere.pem"
    assert "the authorities cannot be used" in echo(far, origin=origin).message


def test_a_device_that_speaks_tls_is_not_called_in_the_clear(far: Device, origin: Origin) -> None:
    far.tls = False
    assert not echo(far, origin=origin).success
