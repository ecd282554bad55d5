from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('studies', '0004_words'),
    ]

    operations = [
        migrations.AddField(
            model_name='instance',
            name='pixel_vr',
            field=models.CharField(blank=True, default='OW', editable=False, max_length=2),
        ),
    ]
