from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('studies', '0005_rejections_and_uploads'),
    ]

    operations = [
        migrations.AddField(
            model_name='instance',
            name='pixel_vr',
            field=models.CharField(blank=True, default='OW', editable=False, max_length=2),
        ),
    ]
