"""The usual programs are there from the start; none is offered before somebody says so."""

from django.db import migrations

SHIPPED = [
    # Encoded: $dicom:rs --url "..." -r "studyUID=..." -H "Authorization: Bearer ..."
    (
        "Weasis",
        "weasis://%24dicom%3Ars%20--url%20%22{dicomweb}%22%20-r%20%22studyUID%3D{study_uid}%22"
        "%20-H%20%22Authorization%3A%20Bearer%20{token}%22",
    ),
    # These three ask us over DICOM: openpacs must be among their servers, and each desk
    # among our devices.
    (
        "OsiriX",
        "osirix://?methodName=retrieve&serverName={ae_title}&then=open&retrieveOnlyIfNeeded=yes"
        "&filterKey=StudyInstanceUID&filterValue={study_uid}",
    ),
    (
        "Horos",
        "horos://?methodName=retrieve&serverName={ae_title}&then=open&retrieveOnlyIfNeeded=yes"
        "&filterKey=StudyInstanceUID&filterValue={study_uid}",
    ),
    ("RadiAnt", "radiant://?n=paet&v=%22{ae_title}%22&n=pstv&v=0020000D&v=%22{study_uid}%22"),
]


def ship(apps, schema_editor):
    launchers = apps.get_model("viewer", "Launcher").objects
    for position, (name, template) in enumerate(SHIPPED, start=1):
        launchers.get_or_create(name=name, defaults={"template": template, "position": position})


class Migration(migrations.Migration):
    dependencies = [("viewer", "0002_launchers")]

    operations = [migrations.RunPython(ship, migrations.RunPython.noop)]
