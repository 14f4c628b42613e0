"""Amounts in templates."""

from django import template

from shop.core.money import shown

register = template.Library()
register.filter("shown", shown)
