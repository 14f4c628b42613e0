"""The declarations of the toy app."""

from shop.core.apps import ShopAppConfig


class ToyConfig(ShopAppConfig):
    """An app without models, whose events the tests write."""

    name = "events.tests.toy"
    label = "toy"
    event_types = "events.tests.toy.types"
    followers = ("events.tests.toy.followers.SumFollower",)
