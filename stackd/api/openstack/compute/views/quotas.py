"""Limits and quotas as Nova shows them: one row per limit, with the microversions that show it."""

from typing import Any

from attrs import frozen

from stackd.api.openstack.compute.microversions import LOWEST, Shown, Span, Version, view
from stackd.model.quotas import QuotaSet

PROXIES_GONE: Version = (2, 36)
IMAGES_GONE: Version = (2, 39)
CLASS_PROXIES_GONE: Version = (2, 50)
FILES_GONE: Version = (2, 57)


@frozen
class Limit(Span):
    """One quota by Nova's name and ours; ours is empty for what this cloud never has any of."""

    name: str
    ours: str = ""

    def of(self, quotas: QuotaSet) -> int:
        """The number."""
        return int(getattr(quotas, self.ours)) if self.ours else 0


LIMITS: tuple[Limit, ...] = (
    Limit("instances", "instances"),
    Limit("cores", "cores"),
    Limit("ram", "ram"),
    Limit("key_pairs", "key_pairs"),
    Limit("metadata_items", "metadata_items"),
    Limit("server_groups"),
    Limit("server_group_members"),
    Limit("injected_files", until=FILES_GONE),
    Limit("injected_file_content_bytes", until=FILES_GONE),
    Limit("injected_file_path_bytes", until=FILES_GONE),
    Limit("fixed_ips", "ports", until=PROXIES_GONE),
    Limit("floating_ips", "floating_ips", until=PROXIES_GONE),
    Limit("security_groups", "security_groups", until=PROXIES_GONE),
    Limit("security_group_rules", "security_group_rules", until=PROXIES_GONE),
)


def limits_of(quotas: QuotaSet, version: Version) -> dict[str, Any]:
    """The limits of a project."""
    return {row.name: row.of(quotas) for row in LIMITS if row.holds(version)}


def class_limits(quotas: QuotaSet, version: Version) -> dict[str, Any]:
    """The same of a quota class, which kept the proxies' limits for longer."""
    return limits_of(quotas, LOWEST if version < CLASS_PROXIES_GONE else version)


def details_of(limits: QuotaSet, used: QuotaSet, version: Version) -> dict[str, Any]:
    """Limits beside what is used; nothing is ever reserved, for usage is counted."""
    return {row.name: {"limit": row.of(limits), "in_use": row.of(used), "reserved": 0}
            for row in LIMITS if row.holds(version)}


@frozen
class Usage:
    """A project's limits and what it uses."""

    limits: QuotaSet
    used: QuotaSet


_ABSOLUTE: tuple[Shown[Usage], ...] = (
    Shown("maxTotalInstances", lambda seen: seen.limits.instances),
    Shown("maxTotalCores", lambda seen: seen.limits.cores),
    Shown("maxTotalRAMSize", lambda seen: seen.limits.ram),
    Shown("maxTotalKeypairs", lambda seen: seen.limits.key_pairs),
    Shown("maxServerMeta", lambda seen: seen.limits.metadata_items),
    Shown("maxServerGroups", lambda seen: 0),
    Shown("maxServerGroupMembers", lambda seen: 0),
    Shown("totalInstancesUsed", lambda seen: seen.used.instances),
    Shown("totalCoresUsed", lambda seen: seen.used.cores),
    Shown("totalRAMUsed", lambda seen: seen.used.ram),
    Shown("totalServerGroupsUsed", lambda seen: 0),
    Shown("maxImageMeta", lambda seen: seen.limits.metadata_items, until=IMAGES_GONE),
    Shown("maxPersonality", lambda seen: 0, until=FILES_GONE),
    Shown("maxPersonalitySize", lambda seen: 0, until=FILES_GONE),
    Shown("maxSecurityGroups", lambda seen: seen.limits.security_groups, until=PROXIES_GONE),
    Shown("maxSecurityGroupRules", lambda seen: seen.limits.security_group_rules, until=PROXIES_GONE),
    Shown("maxTotalFloatingIps", lambda seen: seen.limits.floating_ips, until=PROXIES_GONE),
    Shown("totalSecurityGroupsUsed", lambda seen: seen.used.security_groups, until=PROXIES_GONE),
    Shown("totalFloatingIpsUsed", lambda seen: seen.used.floating_ips, until=PROXIES_GONE),
)


def absolute(limits: QuotaSet, used: QuotaSet, version: Version = LOWEST) -> dict[str, Any]:
    """What ``/limits`` shows."""
    return view(_ABSOLUTE, Usage(limits, used), version)
