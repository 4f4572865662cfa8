"""The parts of the kinds of source for AMQP, Kafka and MQTT."""
