"""The API of views and challenges, for respondents' devices. It knows nobody."""

from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from accounts.captcha.api import ChallengeSerializer
from accounts.rules import OPEN
from accounts.serializers import TextField
from quizzes.authoring.models import Quiz
from quizzes.funnel.challenges import challenge_for
from quizzes.funnel.models import REF_MAX_LENGTH
from quizzes.funnel.viewing import view_count
from shop.core.admission import network_of
from shop.core.bodies import Body, read
from shop.core.errors import NotFound
from shop.core.schema import BODY_OPTIONAL


class ChallengeThrottle(SimpleRateThrottle):
    """Counts the challenges of one network, since making one costs a few milliseconds.

    Everybody at a trade fair is one network, and each of them needs some.
    """

    scope = "quiz_challenge"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return f"throttle:{self.scope}:{network_of(self.get_ident(request))}"


class ViewSerializer(Body):
    """A view of a quiz."""

    ref = TextField(
        validators=[RegexValidator(r"^[A-Za-z0-9._-]*$")],
        max_length=REF_MAX_LENGTH,
        required=False,
        default="",
        allow_blank=True,
        help_text="Where the link was, such as `newsletter`.",
    )


class ViewsView(APIView):
    """The views of a quiz."""

    required = {"POST": OPEN}
    authentication_classes = ()

    @extend_schema(
        operation_id="q_view",
        tags=["q"],
        summary="Count a view of a quiz",
        description="No person is kept. A GET of the quiz or of its page counts nothing.",
        request=ViewSerializer,
        extensions={BODY_OPTIONAL: True},
        responses={204: OpenApiResponse(description="Counted, or not.")},
    )
    def post(self, request: Request, slug: str) -> Response:
        given = read(ViewSerializer, request)
        network = network_of(request.META.get("REMOTE_ADDR", ""))
        view_count(slug=slug, ref=given["ref"], network=network)
        return Response(status=204)


class ChallengeView(APIView):
    """Challenges."""

    required = {"GET": OPEN}
    authentication_classes = ()
    throttle_classes = (ChallengeThrottle,)

    @extend_schema(
        operation_id="q_challenge",
        tags=["q"],
        summary="Get a challenge to solve",
        description=(
            "An ALTCHA challenge (version 2) for this quiz, good once and for 10 minutes. Where a "
            "request was answered `428 challenge_required`, repeat it with the header `Challenge`: "
            "the JSON of `challenge` and `solution` in base64. ALTCHA's libraries solve it."
        ),
        responses={200: ChallengeSerializer},
    )
    def get(self, request: Request, slug: str) -> Response:
        if not Quiz.objects.filter(slug=slug, version__isnull=False).exists():
            raise NotFound()
        return Response(challenge_for(slug))
