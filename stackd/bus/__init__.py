"""The message bus: `IMessageBus` in memory and over AMQP."""
