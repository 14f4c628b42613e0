from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.permissions import Permission
from accounts.rules import needs, requires

from .models import Toy


@requires(GET=needs(Permission.INSIGHT_READ_ALL))
def toy_list(request: HttpRequest) -> HttpResponse:
    return render(request, "toys/list.html", {"toys": Toy.objects.all()})
