"""The API that payment providers call."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.rules import OPEN
from billing.payments.inbox import message_book
from billing.payments.providers.registry import webhook_provider
from billing.payments.serializers import ReceiptSerializer
from billing.routes import WEBHOOK_MAX_BYTES
from shop.core.errors import PayloadTooLarge
from shop.core.schema import envelope


class WebhookView(APIView):
    """The messages of a payment provider. The signature says who sends them."""

    required = {"POST": OPEN}
    authentication_classes = ()

    @extend_schema(
        operation_id="webhooks_receive",
        summary="Take a message of a payment provider",
        description=(
            "Signed over the raw body as Stripe does it (`Stripe-Signature`), at most 300 seconds "
            "ago, by one of two secrets. A body has at most 512 KiB."
        ),
        parameters=[OpenApiParameter("provider", OpenApiTypes.STR, OpenApiParameter.PATH)],
        request=OpenApiTypes.OBJECT,
        responses={
            200: ReceiptSerializer,
            400: envelope("It is not signed (`bad_signature`)."),
        },
    )
    def post(self, request: Request, provider: str) -> Response:
        chosen = webhook_provider(provider)
        body = request._request.body
        if len(body) > WEBHOOK_MAX_BYTES:
            raise PayloadTooLarge()
        message = chosen.read_webhook(request.headers, body)
        return Response({"status": message_book(chosen.name, message)})
