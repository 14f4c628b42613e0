"""The declarations of the stream to Kafka."""

from shop.core.apps import ShopAppConfig


class StreamConfig(ShopAppConfig):
    """The event log as a stream of Kafka, where a site has brokers."""

    name = "stream"
