"""The site file: out and in again, all problems at once, nothing by half."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.hl7.models import Partner
from apps.orders.models import Procedure, Referrer
from apps.patients.models import Issuer
from apps.reports.models import ReportTemplate
from apps.scheduling.models import OpeningHours, Resource
from apps.site.configuration.problems import SiteFileError
from apps.site.services import export_site, import_site
from apps.viewer.models import HangingProtocol, Launcher
from apps.worklist.models import Device

pytestmark = pytest.mark.django_db

DEPARTMENT = """\
version: 1

issuers:
  - {purpose: patient, namespace: HOSPITAL, universal_id: 1.2.3.4, universal_id_type: ISO}

users:
  - username: ada
    given_name: Ada
    family_name: Löwe
    roles: [radiologist, auditor]
  - {username: ref, family_name: Anan, roles: [referrer]}

procedures:
  - code: 0815
    meaning: CT of the head
    modality: CT
    duration_minutes: 20
    preparation: |
      Nothing to eat for two hours.
      Bring earlier images.
  - {scheme: LOCAL, code: no, meaning: Norwegian, modality: US}

referrers:
  - {code: R1, family_name: Anan, user: ref}

rooms:
  - name: CT 1
    modality: CT
    procedures: [99OPACS/0815, LOCAL/no]
    opening_hours:
      - {weekday: tuesday, opens: 08:00, closes: 12:00}
      - {weekday: monday, opens: 08:00, closes: "17:30"}

devices:
  - {ae_title: CT1, name: Scanner, host: 10.0.0.5, room: CT 1, may_query: yes}

hl7_partners:
  - {name: HIS, application: HIS, facility: MAIN}

report_templates:
  - {name: CT head, procedures: [99OPACS/0815], findings: No bleeding.}

desk_viewers:
  - {name: Weasis, address: "weasis://{study_uid}", offered: yes, position: 1}

layouts:
  - name: Chest
    modality: ct
    procedure: 99OPACS/0815
    default: yes
    layout: |-
      {"version": 1, "rows": 1, "columns": 1, "viewports":
       [{"x": 0, "y": 0, "width": 1, "height": 1, "kind": "stack", "series": []}]}
"""


def problems_of(text: str, origin: Origin) -> list[str]:
    with pytest.raises(SiteFileError) as caught:
        import_site(text, origin=origin)
    return [problem.at("site.yaml") for problem in caught.value.problems]


def test_a_file_sets_up_a_department(origin: Origin) -> None:
    changes = import_site(DEPARTMENT, origin=origin)
    assert len(changes) == 12
    room = Resource.objects.get()
    assert [str(one) for one in room.opening_hours.all()] == [
        "Monday 08:00-17:30",
        "Tuesday 08:00-12:00",
    ]
    assert room.devices.get().may_query
    assert sorted(one.code for one in room.procedures.all()) == ["0815", "no"]
    assert Referrer.objects.get().user == User.objects.get(username="ref")
    assert User.objects.get(username="ada").roles == {"radiologist", "auditor"}
    assert ReportTemplate.objects.get().procedures.get().code == "0815"
    assert Partner.objects.get().facility == "MAIN"
    assert Issuer.objects.get(namespace="HOSPITAL").universal_id == "1.2.3.4"


def test_a_new_user_has_no_password_that_works(origin: Origin) -> None:
    import_site(DEPARTMENT, origin=origin)
    assert not User.objects.get(username="ada").has_usable_password()


def test_an_import_keeps_the_password_of_a_user_who_has_one(origin: Origin) -> None:
    User.objects.create_user("ada", password="a long enough one")
    import_site(DEPARTMENT, origin=origin)
    assert User.objects.get(username="ada").check_password("a long enough one")


def test_a_second_import_changes_nothing_and_leaves_no_journal_row(origin: Origin) -> None:
    import_site(DEPARTMENT, origin=origin)
    assert import_site(DEPARTMENT, origin=origin) == []
    assert Event.objects.filter(kind=Kind.SITE_CHANGED).count() == 1


def test_the_journal_counts_what_changed(origin: Origin) -> None:
    import_site(DEPARTMENT, origin=origin)
    event = Event.objects.get(kind=Kind.SITE_CHANGED)
    assert event.details["procedures"] == {"added": 2}
    import_site(DEPARTMENT.replace("duration_minutes: 20", "duration_minutes: 25"), origin=origin)
    event = Event.objects.filter(kind=Kind.SITE_CHANGED).latest("id")
    assert event.details == {"procedures": {"changed": 1}}


def test_export_import_export_is_byte_identical(origin: Origin) -> None:
    import_site(DEPARTMENT, origin=origin)
    first = export_site()
    for model in (
        HangingProtocol,
        Launcher,
        ReportTemplate,
        Partner,
        Device,
        Resource,
        Referrer,
        Procedure,
        Issuer,
        User,
    ):
        model.objects.all().delete()
    import_site(first, origin=origin)
    assert export_site() == first
    assert import_site(first, origin=origin) == []


def test_the_export_leaves_out_what_is_the_default(origin: Origin) -> None:
    import_site(DEPARTMENT, origin=origin)
    text = export_site()
    assert "may_store" not in text
    assert "password" not in text
    assert "next_number" not in text


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\r\t"), max_size=60
    )
)
def test_any_text_survives_the_way_out_and_in(origin: Origin, text: str) -> None:
    ReportTemplate.objects.update_or_create(name="T", defaults={"findings": text})
    exported = export_site()
    ReportTemplate.objects.all().delete()
    import_site(exported, origin=origin)
    assert ReportTemplate.objects.get().findings == text


def test_a_word_that_is_left_out_has_its_default(origin: Origin) -> None:
    import_site(DEPARTMENT, origin=origin)
    import_site("devices:\n  - {ae_title: CT1, name: Scanner}\n", origin=origin)
    device = Device.objects.get()
    assert (device.host, device.port, device.resource, device.may_query) == ("", 104, None, False)


def test_rows_the_file_does_not_name_stay(origin: Origin) -> None:
    import_site(DEPARTMENT, origin=origin)
    import_site("devices:\n  - {ae_title: CT2, name: Other}\n", origin=origin)
    assert Device.objects.count() == 2


def test_changed_opening_hours_replace_the_old_ones(origin: Origin) -> None:
    import_site(DEPARTMENT, origin=origin)
    changes = import_site(DEPARTMENT.replace("closes: 12:00", "closes: 13:00"), origin=origin)
    assert [change.row for change in changes] == ["CT 1"]
    assert OpeningHours.objects.count() == 2


def test_the_series_of_our_numbers_can_be_moved_to_another_issuer(origin: Origin) -> None:
    ours = Issuer.objects.get(purpose="patient", mints=True)
    text = (
        "issuers:\n"
        "  - {purpose: patient, namespace: NEW, mints: true, prefix: N}\n"
        f"  - {{purpose: patient, namespace: {ours.namespace}, prefix: P}}\n"
    )
    import_site(text, origin=origin)
    assert Issuer.objects.get(purpose="patient", mints=True).namespace == "NEW"


def test_layouts_and_viewers_on_the_desks_are_of_the_department(origin: Origin) -> None:
    import_site(DEPARTMENT, origin=origin)
    row = HangingProtocol.objects.get()
    assert (row.owner, row.modality, row.is_default) == (None, "CT", True)
    assert row.procedure is not None
    assert row.layout["viewports"][0]["kind"] == "stack"
    assert Launcher.objects.get(name="Weasis").active


def test_the_layouts_of_a_person_are_neither_written_nor_changed(origin: Origin) -> None:
    import_site(DEPARTMENT, origin=origin)
    ours = HangingProtocol.objects.get()
    hers = User.objects.get(username="ada")
    kept = {"layout": {**ours.layout, "columns": 2}, "is_default": True}
    HangingProtocol.objects.create(owner=hers, name="Chest", **kept)
    HangingProtocol.objects.create(owner=hers, name="Mine", **{**kept, "modality": "MR"})
    assert "Mine" not in export_site()
    assert import_site(export_site(), origin=origin) == []
    import_site(DEPARTMENT.replace('"columns": 1', '"columns": 3'), origin=origin)
    columns = HangingProtocol.objects.filter(name="Chest").order_by("pk")
    assert [row.layout["columns"] for row in columns] == [3, 2]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("layout: x", "layout: this is not JSON"),
        ("layout: [a]", "layout: a single value is expected here"),
        ("layout: '{\"rows\": 1}'", "layout: version: This field is required."),
        ("layout: '{\"version\": NaN}'", 'layout: version: "nan" is not a valid choice.'),
        ("active: true", "layout: This field cannot be null."),
    ],
)
def test_a_layout_that_is_none_is_a_problem_with_its_line(
    origin: Origin, words: str, told: str
) -> None:
    text = f"layouts:\n  - {{name: X, {words}}}\ndesk_viewers:\n  - {{name: Y, address: file:/}}\n"
    problems = problems_of(text, origin)
    assert f"site.yaml:2: {told}" in problems
    assert any(one.startswith("site.yaml:4: address: ") for one in problems)


def test_every_problem_is_told_with_its_line_and_nothing_is_imported(origin: Origin) -> None:
    text = """\
colour: blue
procedures:
  - {code: A, meaning: Fine, modality: CT}
  - {code: B, meaning: Odd, modality: CT, duration_minutes: soon}
  - code: C
    modality: CT
    duration_minutes: 0
rooms:
  - name: CT 1
    procedures:
      - 99OPACS/A
      - 99OPACS/NOPE
    opening_hours:
      - {weekday: someday, opens: 08:00, closes: 09:00}
      - {weekday: monday, opens: 17:00, closes: 08:00}
      - {weekday: monday, opens: 25:00, closes: 08:00}
devices:
  - {ae_title: CT1, name: Scanner, room: CT 9}
  - {ae_title: CT2, name: Scanner, port: 70000}
  - {ae_title: A TITLE THAT IS FAR TOO LONG, name: Scanner}
  - {ae_title: CT1, name: Twin}
  - {name: Nameless, may_store: perhaps}
users:
  - {username: ada, roles: [surgeon]}
hl7_partners:
  - {name: HIS, application: HIS, receives_results: true, password: secret}
"""
    told = problems_of(text, origin)
    lines = [int(one.split(":")[1]) for one in told]
    assert set(lines) == {1, 4, 5, 12, 14, 15, 16, 18, 19, 20, 21, 22, 24, 26}
    said = "\n".join(told)
    assert "site.yaml:1: unknown word “colour”; known here: version, issuers" in said
    assert "site.yaml:4: duration_minutes: “soon” is not a whole number" in said
    assert "site.yaml:5: meaning: This field cannot be blank." in said
    assert "site.yaml:12: procedures: there is no procedures “99OPACS/NOPE”" in said
    assert "site.yaml:14: weekday: “someday” is not one of: monday, tuesday" in said
    assert "site.yaml:18: room: there is no rooms “CT 9”" in said
    assert "site.yaml:21: the same row of devices stands on line 18 already" in said
    assert "site.yaml:22: ae_title is missing" in said
    assert "site.yaml:22: may_store: “perhaps” is neither true nor false" in said
    assert "site.yaml:24: roles: there is no role “surgeon”" in said
    assert "site.yaml:26: unknown word “password”" in said
    assert not Procedure.objects.exists()
    assert not Event.objects.filter(kind=Kind.SITE_CHANGED).exists()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("devices:\n  - {ae_title: CT1\n", 3, "not YAML"),
        ("devices:\n\t- x", 2, "not YAML"),
        ("devices: \x07", 1, "not YAML"),
        ("a: 1\na: 2\n", 1, "unknown word"),
        ("version: 9\n", 1, "version 1"),
        ("version: 1\nversion: 1\n", 2, "twice"),
        ("just text", 1, "words with values are expected here"),
        ("devices: 5\n", 1, "a list is expected here"),
        ("devices:\n  - 5\n", 2, "words with values are expected here"),
        ("devices:\n  - {ae_title: [x], name: y}\n", 2, "a single value is expected here"),
        ("rooms:\n  - {name: x, procedures: y}\n", 2, "a list is expected here"),
        ('rooms:\n  - {name: "a\\0b"}\n', 2, "control characters"),
        ("[" * 5000, 1, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_site_file_is_refused(
    origin: Origin, text: str, line: int, words: str
) -> None:
    told = problems_of(text, origin)
    assert any(one.startswith(f"site.yaml:{line}: ") and words in one for one in told), told


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "version: 1\ndevices:\n", "!!python/object:os.system {}"]
)
def test_an_empty_file_changes_nothing(origin: Origin, text: str) -> None:
    assert import_site(text, origin=origin) == []


def test_check_says_what_would_change_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(DEPARTMENT)
    call_command("site", "import", str(file), "--check")
    out = capsys.readouterr().out
    assert "+ devices: CT1" in out
    assert "Rows that would change: 12" in out
    assert not Device.objects.exists()
    assert not Event.objects.exists()


def test_the_command_exports_and_imports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(DEPARTMENT)
    call_command("site", "import", str(file))
    call_command("site", "export", str(file))
    call_command("site", "import", str(file))
    assert capsys.readouterr().out.endswith("Nothing to change.\n")
    file.write_text(file.read_text().replace("host: 10.0.0.5", "host: 10.0.0.6"))
    call_command("site", "import", str(file))
    assert "~ devices: CT1: host “10.0.0.5” -> “10.0.0.6”" in capsys.readouterr().out


def test_the_command_names_file_and_line_of_each_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("devices:\n  - {ae_title: X, nme: Y}\n")
    with pytest.raises(CommandError, match="Nothing imported; problems: 2"):
        call_command("site", "import", str(file))
    told = capsys.readouterr().err.splitlines()
    assert all(line.startswith(f"{file}:2: ") for line in told)


def test_a_file_that_cannot_be_read_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("site", "import", str(tmp_path / "none.yaml"))
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"users:\n  - {username: \xe9}\n")
    with pytest.raises(CommandError, match=r"latin.yaml:2: not UTF-8"):
        call_command("site", "import", str(latin))
    with pytest.raises(CommandError, match="Is a directory"):
        call_command("site", "export", str(tmp_path))
