"""The API of operating figures."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import Permission as P
from accounts.rules import needs
from operations import instances
from operations.serializers import InstanceSerializer

READ = {"GET": needs(P.INSIGHT_READ_ALL)}


class InstanceListView(APIView):
    """The processes of the shop."""

    required = READ

    @extend_schema(
        operation_id="operations_instances",
        tags=["operations"],
        summary="List the processes of the shop",
        description="Those that have lived during the last day, the living ones first.",
        responses={200: InstanceSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        return Response(InstanceSerializer(instances.instances(), many=True).data)
