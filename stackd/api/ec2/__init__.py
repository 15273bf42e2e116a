"""The EC2 and STS APIs: the query protocol, parsed and rendered by AWS's own published service models."""
