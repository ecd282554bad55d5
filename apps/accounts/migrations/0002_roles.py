"""One group per role; what a role may do is in accounts.policy."""

from django.db import migrations

ROLES = [
    "front-desk",
    "technologist",
    "radiologist",
    "resident",
    "referrer",
    "pacs-administrator",
    "system-administrator",
    "auditor",
]


def create_roles(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    for name in ROLES:
        Group.objects.get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(create_roles, migrations.RunPython.noop)]
