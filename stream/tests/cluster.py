"""librdkafka's own cluster for tests, in this process, with brokers that can be killed."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import confluent_kafka

_PRODUCER = 0


def _library() -> ctypes.CDLL:
    spec = find_spec("confluent_kafka")
    assert spec is not None
    assert spec.origin is not None
    (path,) = (Path(spec.origin).parent.parent / "confluent_kafka.libs").glob("librdkafka*")
    library = ctypes.CDLL(str(path))
    pointer = ctypes.c_void_p
    library.rd_kafka_new.restype = pointer
    library.rd_kafka_new.argtypes = [ctypes.c_int, pointer, ctypes.c_char_p, ctypes.c_size_t]
    library.rd_kafka_mock_cluster_new.restype = pointer
    library.rd_kafka_mock_cluster_new.argtypes = [pointer, ctypes.c_int]
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    for name in ("cluster_bootstraps", "cluster_destroy"):
        getattr(library, f"rd_kafka_mock_{name}").argtypes = [pointer]
    for name in ("set_down", "set_up"):
        getattr(library, f"rd_kafka_mock_broker_{name}").argtypes = [pointer, ctypes.c_int32]
    library.rd_kafka_mock_topic_create.argtypes = [
        pointer,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_int,
    ]
    library.rd_kafka_destroy.argtypes = [pointer]
    return library


class Cluster:
    """Three brokers and a topic of four partitions."""

    TOPIC = "shop.events"
    PARTITIONS = 4
    BROKERS = (1, 2, 3)

    def __init__(self, library: Any, cluster: Any) -> None:
        self._library, self._cluster = library, cluster
        self.servers = library.rd_kafka_mock_cluster_bootstraps(cluster).decode()
        library.rd_kafka_mock_topic_create(cluster, self.TOPIC.encode(), self.PARTITIONS, 3)

    def kill(self, *brokers: int) -> None:
        for broker in brokers or self.BROKERS:
            self._library.rd_kafka_mock_broker_set_down(self._cluster, broker)

    def start(self, *brokers: int) -> None:
        for broker in brokers or self.BROKERS:
            self._library.rd_kafka_mock_broker_set_up(self._cluster, broker)

    def messages(self) -> list[Any]:
        """Return every message of the topic, each partition in its order."""
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.servers, "group.id": "test", "enable.partition.eof": True}
        )
        found: list[Any] = []
        ended: set[int | None] = set()
        try:
            consumer.assign(
                [
                    confluent_kafka.TopicPartition(self.TOPIC, number, 0)
                    for number in range(self.PARTITIONS)
                ]
            )
            while len(ended) < self.PARTITIONS:
                message = consumer.poll(20)
                assert message is not None, "The cluster does not answer."
                error = message.error()
                if error is None:
                    found.append(message)
                elif error.code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
        finally:
            consumer.close()
        return found


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    library = _library()
    reason = ctypes.create_string_buffer(200)
    client = library.rd_kafka_new(_PRODUCER, None, reason, len(reason))
    assert client, reason.value
    cluster = library.rd_kafka_mock_cluster_new(client, len(Cluster.BROKERS))
    try:
        yield Cluster(library, cluster)
    finally:
        library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(client)
