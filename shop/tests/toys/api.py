from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import Permission
from accounts.rules import needs

from .models import Toy


class ToyListView(APIView):
    """All toys."""

    required = {"GET": needs(Permission.INSIGHT_READ_ALL)}

    @extend_schema(operation_id="toys_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        return Response({"toys": list(Toy.objects.values_list("name", flat=True))})
