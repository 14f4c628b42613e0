"""The shapes of the account API."""

from typing import Any

from rest_framework import serializers

from accounts.captcha.challenges import PAYLOAD_MAX_LENGTH
from accounts.credentials import LOGIN_MAX_LENGTH
from accounts.factors.codes import CODE_MAX_LENGTH
from accounts.models import USERNAME_MAX_LENGTH


class TextField(serializers.CharField):
    """Text that is sent as text: a number would have lost the zeros in front of it."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class LineField(TextField):
    """A name of one line, without characters that do not show or that turn what follows."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not text.isprintable():
            self.fail("invalid")
        return text


def _captcha() -> TextField:
    return TextField(
        max_length=PAYLOAD_MAX_LENGTH,
        required=False,
        allow_blank=True,
        write_only=True,
        help_text="The solution of `GET /api/v1/captcha/`, where one is asked for.",
    )


class SignUpSerializer(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=USERNAME_MAX_LENGTH)
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=128, trim_whitespace=False, write_only=True)
    captcha = _captcha()


class AccountSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    userid = serializers.CharField()
    email = serializers.EmailField()


class MeSerializer(AccountSerializer):
    email_verified = serializers.BooleanField()
    is_staff = serializers.BooleanField()
    permissions = serializers.ListField(
        child=serializers.CharField(),
        help_text="What you may do with this credential, each `part:verb`.",
    )
    roles = serializers.ListField(child=serializers.CharField())
    mfa = serializers.BooleanField(help_text="Whether the account has a second factor.")


class SignInSerializer(serializers.Serializer[Any]):
    username = serializers.CharField(
        max_length=LOGIN_MAX_LENGTH, help_text="The username or the e-mail address."
    )
    password = serializers.CharField(max_length=128, trim_whitespace=False, write_only=True)
    code = TextField(
        max_length=CODE_MAX_LENGTH,
        required=False,
        allow_blank=True,
        write_only=True,
        help_text="The code of the authenticator app, or a recovery code; needed with a second "
        "factor.",
    )
    captcha = _captcha()


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField()
    expires_at = serializers.DateTimeField()


class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")
