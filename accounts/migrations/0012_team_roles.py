import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_theme")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="team_roles",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=20),
                db_default=[],
                default=list,
                editable=False,
                size=None,
            ),
        ),
    ]
