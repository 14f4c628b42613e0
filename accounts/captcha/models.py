"""Which captchas were used."""

from django.db import models


class CaptchaUsed(models.Model):
    """The nonce of a solved captcha, so that it is good once. The purge deletes old ones."""

    nonce = models.BinaryField(primary_key=True, max_length=16)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return bytes(self.nonce).hex()
