"""The message bus over AMQP 0-9-1, on txamqp's object model with a wire layer of our own."""
