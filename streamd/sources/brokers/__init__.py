"""What the kinds of source for AMQP, Kafka and MQTT are built of."""
