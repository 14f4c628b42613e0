"""What the toy adds to the whole."""

from shop.core.apps import ShopAppConfig


class ToyConfig(ShopAppConfig):
    """A part of the shop that is only told of."""

    name = "events.tests.toy"
    label = "toy"
    event_types = "events.tests.toy.types"
    followers = ("events.tests.toy.followers.SumFollower",)
