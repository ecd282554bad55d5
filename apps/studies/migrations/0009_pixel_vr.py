from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('studies', '0007_saved_filters_and_list_indexes'),
    ]

    operations = [
        migrations.AddField(
            model_name='instance',
            name='pixel_vr',
            field=models.CharField(blank=True, default='OW', editable=False, max_length=2),
        ),
    ]
