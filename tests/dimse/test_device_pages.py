"""The device profile in the back office: what can be said, what is refused, what is hidden."""

import hashlib
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.dimse.device_form import DeviceForm
from apps.worklist.models import Device, PerformedStep, WorklistQuery
from tests.factories import DeviceFactory

pytestmark = pytest.mark.django_db
As = Callable[[str], Client]
JPEG_2000, EXPLICIT = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.1"


def entered(**changes: Any) -> dict[str, Any]:
    """A form as the browser sends it: ticked boxes are "on", others are absent."""
    plain = {
        "name": "Scanner",
        "ae_title": "CT9",
        "host": "10.0.0.9",
        "port": "104",
        "character_set": "ISO_IR 192",
        "parallel_associations": "1",
        "active": "on",
        "may_read_worklist": "on",
    }
    return {**plain, **changes}


def saved(**changes: Any) -> Device:
    form = DeviceForm(entered(**changes))
    assert form.is_valid(), form.errors
    return form.save()


def refused(files: dict[str, Any] | None = None, **changes: Any) -> dict[str, list[str]]:
    form = DeviceForm(entered(**changes), files)
    assert not form.is_valid()
    return {name: [str(one) for one in messages] for name, messages in form.errors.items()}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A certificate made for this test, in PEM."""
    folder: Path = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=CT9", "-keyout", str(folder / "key.pem")),
            *("-out", str(folder / "certificate.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return (folder / "certificate.pem").read_bytes()


def test_lists_are_chosen_and_kept_in_order() -> None:
    device = saved(
        hidden_statuses=["SCHEDULED"],
        accepted_syntaxes=[JPEG_2000, EXPLICIT],
        preferred_syntax=JPEG_2000,
        private_classes="1.3.12.2.1107.5.9.1\n\n 1.2.3 \n",
        may_receive="on",
    )
    device.refresh_from_db()
    assert device.hidden_statuses == ["SCHEDULED"]
    assert set(device.accepted_syntaxes) == {JPEG_2000, EXPLICIT}
    assert device.private_classes == ["1.3.12.2.1107.5.9.1", "1.2.3"]


def test_a_syntax_that_is_not_among_the_named_ones_is_kept() -> None:
    device = DeviceFactory.create(accepted_syntaxes=["1.2.840.999"], character_set="ISO_IR 159")
    form = DeviceForm(instance=device)
    assert ("1.2.840.999", "1.2.840.999") in form.fields["accepted_syntaxes"].choices  # type: ignore[attr-defined]
    assert 'value="ISO_IR 159" selected' in str(form["character_set"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"host": "", "may_receive": "on"}, "host"),
        ({"host": "", "may_commit": "on"}, "host"),
        ({"accepted_syntaxes": [EXPLICIT], "preferred_syntax": JPEG_2000}, "preferred_syntax"),
        ({"private_classes": "not a uid"}, "private_classes"),
        ({"hidden_statuses": ["SCHEDULED", "ARRIVED", "READY"]}, "hidden_statuses"),
        ({"only_own_modality": "on"}, "only_own_modality"),
        ({"certificate_sha256": "ab" * 32}, "certificate_sha256"),
        ({"certificate_sha256": "xyz", "require_tls": "on"}, "certificate_sha256"),
        ({"name_length": "3"}, "name_length"),
        ({"max_associations": "0"}, "max_associations"),
        ({"parallel_associations": "9"}, "__all__"),
        ({"new_password": "secret"}, "identity_user"),
        ({"accepted_syntaxes": ["1.2.3"]}, "accepted_syntaxes"),
        ({"preferred_syntax": "1.2.840.10008.1.2.4.50"}, "preferred_syntax"),
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(changes: dict[str, Any], field: str) -> None:
    assert list(refused(**changes)) == [field]


def test_the_row_refuses_the_same_whoever_writes_it() -> None:
    device = DeviceFactory.build(resource=None, may_receive=True, host="")
    with pytest.raises(ValidationError, match="needs a host"):
        device.full_clean()


def test_a_password_is_kept_as_a_hash_and_never_shown(as_role: As) -> None:
    device = saved(identity_user="ct9", new_password="open sesame")
    assert check_password("open sesame", device.identity_password)
    page = as_role("pacs-administrator").get(
        reverse("admin:worklist_device_change", args=[device.pk])
    )
    assert "open sesame" not in page.text
    assert device.identity_password not in page.text


def test_a_password_stays_unless_another_is_given_or_it_is_forgotten() -> None:
    device = saved(identity_user="ct9", new_password="first")
    kept = device.identity_password

    def save(**changes: Any) -> str:
        form = DeviceForm(entered(identity_user="ct9", **changes), instance=device)
        assert form.is_valid(), form.errors
        return form.save().identity_password

    assert save() == kept
    assert check_password("second", save(new_password="second"))
    assert save(forget_password="on") == ""


def test_without_a_user_name_no_password_is_left_behind() -> None:
    device = saved(identity_user="ct9", new_password="first")
    form = DeviceForm(entered(), instance=device)
    assert form.is_valid(), form.errors
    assert form.save().identity_password == ""


def test_a_fingerprint_is_read_as_certificate_tools_write_it() -> None:
    written = ":".join(["AB"] * 32)
    device = saved(certificate_sha256=written, require_tls="on")
    assert device.certificate_sha256 == "ab" * 32


def test_the_fingerprint_is_taken_from_an_uploaded_certificate(certificate: bytes) -> None:
    form = DeviceForm(
        entered(require_tls="on"), {"certificate_file": SimpleUploadedFile("ct9.pem", certificate)}
    )
    assert form.is_valid(), form.errors
    der = ssl.PEM_cert_to_DER_cert(certificate.decode())
    assert form.save().certificate_sha256 == hashlib.sha256(der).hexdigest()


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"\xff\xfe",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n",
    ],
)
def test_what_is_no_certificate_is_refused(content: bytes) -> None:
    files = {"certificate_file": SimpleUploadedFile("x.pem", content)}
    assert list(refused(files, require_tls="on")) == ["certificate_file"]


def test_the_page_says_what_the_device_did_last(as_role: As) -> None:
    device = DeviceFactory.create()
    now = timezone.now()
    WorklistQuery.objects.create(device=device, asked_at=now, times=4, answers=7, milliseconds=3)
    PerformedStep.objects.create(sop_instance_uid="2.25.1", device=device, started_at=now)
    page = as_role("pacs-administrator").get(
        reverse("admin:worklist_device_change", args=[device.pk])
    )
    assert "asked for the worklist (4 times in a row): 7 answers" in page.text
    assert "reported a step: In progress" in page.text


def test_the_page_is_saved_whole(as_role: As) -> None:
    client = as_role("pacs-administrator")
    added = client.post(reverse("admin:worklist_device_add"), entered(identity_user="ct9"))
    assert added.status_code == 302, added.context["errors"]
    assert Device.objects.get(ae_title="CT9").identity_user == "ct9"


def test_an_auditor_looks_and_is_shown_no_form(as_role: As) -> None:
    device = DeviceFactory.create(hidden_statuses=["SCHEDULED"], private_classes=["1.2.3"])
    page = as_role("auditor").get(reverse("admin:worklist_device_change", args=[device.pk]))
    assert page.status_code == 200
    assert 'name="_save"' not in page.text
