from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0020_browser_sessions"),
    ]

    operations = [
        migrations.CreateModel(
            name="CaptchaUsed",
            fields=[
                (
                    "nonce",
                    models.BinaryField(max_length=16, primary_key=True, serialize=False),
                ),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
        ),
    ]
