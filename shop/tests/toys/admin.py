from django.contrib import admin

from shop.core.admin_tools import ReadOnlyAdmin

from .models import Toy

admin.site.register(Toy, ReadOnlyAdmin)
