"""Quotas: limits per project; usage is always counted, never stored."""

from attrs import frozen

UNLIMITED = -1


@frozen(kw_only=True)
class QuotaSet:
    """Limits (or counts in use); -1 as a limit means unlimited. Memory in MiB."""

    instances: int = 10
    cores: int = 20
    ram: int = 51200
    key_pairs: int = 100
    metadata_items: int = 128
    networks: int = 100
    subnets: int = 100
    ports: int = 500
    floating_ips: int = 50
    security_groups: int = 50
    security_group_rules: int = 500
