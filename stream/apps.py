"""The declarations of the stream to Kafka."""

from django.conf import settings

from shop.core.apps import ShopAppConfig


class StreamConfig(ShopAppConfig):
    """The event log as a stream of Kafka, where a site has brokers."""

    name = "stream"
    personal_data = "stream.columns.TABLES"

    following = {"stream": "stream.publisher.publish"} if settings.KAFKA_BROKERS else {}
    health_checks = {"stream": "stream.cursor.check_stream"} if settings.KAFKA_BROKERS else {}

    def ready(self) -> None:
        from stream import checks  # noqa: F401
