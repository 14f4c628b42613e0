"""The declarations of the stream to Kafka."""

from django.conf import settings

from shop.core.apps import ShopAppConfig


class StreamConfig(ShopAppConfig):
    """The event log as a stream of Kafka, where a site has brokers."""

    name = "stream"
    personal_data = "stream.columns.TABLES"

    def ready(self) -> None:
        from stream import checks  # noqa: F401

        if settings.KAFKA_BROKERS:
            self.following = {"stream": "stream.publisher.publish"}
            self.health_checks = {"stream": "stream.cursor.check_stream"}
