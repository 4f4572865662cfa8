"""A process with librdkafka's mock cluster: brokers that keep records in memory.

It prints the address of a broker, and obeys lines on its standard input: ``topic NAME PARTITIONS``,
``down`` and ``up``.  confluent-kafka offers no function for these, but its library has them.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import confluent_kafka

BROKERS = 2


def library() -> ctypes.CDLL:
    folder = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    # The extension needs other libraries of the folder, and has loaded them.
    [file] = folder.glob("librdkafka*.so*")
    return ctypes.CDLL(str(file))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    kafka = library()
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    kafka.rd_kafka_new.restype = kafka.rd_kafka_conf_new.restype = pointer
    kafka.rd_kafka_new.argtypes = [ctypes.c_int, pointer, text, ctypes.c_size_t]
    kafka.rd_kafka_mock_cluster_new.restype = pointer
    kafka.rd_kafka_mock_cluster_new.argtypes = [pointer, ctypes.c_int]
    kafka.rd_kafka_mock_cluster_bootstraps.restype = text
    kafka.rd_kafka_mock_cluster_bootstraps.argtypes = [pointer]
    kafka.rd_kafka_mock_topic_create.argtypes = [pointer, text, ctypes.c_int, ctypes.c_int]
    for name in ("down", "up"):
        getattr(kafka, f"rd_kafka_mock_broker_set_{name}").argtypes = [pointer, ctypes.c_int32]
    error = ctypes.create_string_buffer(512)
    producer = kafka.rd_kafka_new(0, kafka.rd_kafka_conf_new(), error, len(error))
    cluster = kafka.rd_kafka_mock_cluster_new(producer, BROKERS)
    say(kafka.rd_kafka_mock_cluster_bootstraps(cluster).decode())
    for line in sys.stdin:
        match line.split():
            case ["topic", name, partitions]:
                kafka.rd_kafka_mock_topic_create(cluster, name.encode(), int(partitions), 1)
            case [("down" | "up") as how]:
                for broker in range(1, BROKERS + 1):
                    getattr(kafka, f"rd_kafka_mock_broker_set_{how}")(cluster, broker)
        say("done")


if __name__ == "__main__":
    main()
