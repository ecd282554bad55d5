"""The profile of a device in the site file."""

import pytest

from apps.audit.services import Origin
from apps.site.configuration.problems import SiteFileError
from apps.site.services import export_site, import_site
from apps.worklist.models import Device

pytestmark = pytest.mark.django_db


PROFILE = """
devices:
  - ae_title: WS1
    name: Workstation
    host: 10.0.0.7
    may_receive: true
    hidden_statuses: [SCHEDULED]
    name_length: 32
    accepted_syntaxes: [1.2.840.10008.1.2.1, 1.2.840.10008.1.2.4.90]
    preferred_syntax: 1.2.840.10008.1.2.4.90
    parallel_associations: 4
    max_associations: 10
    tls: true
    identity_user: ws1
"""


def test_the_whole_profile_of_a_device_goes_in_and_out(origin: Origin) -> None:
    import_site(PROFILE, origin=origin)
    device = Device.objects.get(ae_title="WS1")
    assert device.accepted_syntaxes == ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"]
    assert (device.hidden_statuses, device.name_length, device.tls) == (["SCHEDULED"], 32, True)
    device.identity_password = "hashed"  # a secret of the database, no word of the file
    device.save()
    written = export_site()
    assert "hashed" not in written
    assert import_site(written, origin=origin) == []
    device.refresh_from_db()
    assert device.identity_password == "hashed"


def test_lists_and_numbers_that_are_left_out_are_empty_again(origin: Origin) -> None:
    import_site(PROFILE, origin=origin)
    import_site("devices:\n  - {ae_title: WS1, name: W, max_associations: }\n", origin=origin)
    device = Device.objects.get(ae_title="WS1")
    assert (device.accepted_syntaxes, device.max_associations) == ([], None)
    assert (device.parallel_associations, device.may_receive) == (1, False)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("may_commit: true", "needs a host"),
        ("hidden_statuses: [DONE]", "SCHEDULED, ARRIVED or READY"),
        ("hidden_statuses: SCHEDULED", "a list is expected here"),
        ("accepted_syntaxes: [jpeg]", "named by a UID"),
        ("preferred_syntax: jpeg", "named by a UID"),
        ("certificate_sha256: 12, require_tls: true", "64 hexadecimal digits"),
        ("only_own_modality: true", "which modality"),
        ("parallel_associations: 20", "1 to 8"),
    ],
)
def test_a_profile_that_contradicts_itself_is_no_configuration(
    word: str, said: str, origin: Origin
) -> None:
    with pytest.raises(SiteFileError, match=said):
        import_site(f"devices:\n  - {{ae_title: X, name: X, {word}}}\n", origin=origin)
    assert not Device.objects.exists()
