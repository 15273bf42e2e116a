"""Security groups: rules, duplicates, dependents, and who hears of a change."""

import pytest

from stackd import errors
from stackd.core.groups import SecurityGroups
from stackd.model import kinds
from stackd.model.callers import ADMIN
from stackd.model.groups import Direction, RuleRequest
from stackd.model.quotas import QuotaSet
from stackd.store import groups as store
from stackd.store import quotas, wirings
from stackd.testing.projects import Cloud, caller, finish

SSH = RuleRequest(direction=Direction.INGRESS, protocol="tcp", port_min=22, port_max=22)


@pytest.fixture
def cloud():
    """An empty cloud with two hosts."""
    cloud = Cloud()
    cloud.hosts("h1", "h2")
    return cloud


@pytest.fixture
def project(cloud):
    """A project of it."""
    return cloud.project()


@pytest.fixture
def groups(cloud):
    """The use cases."""
    return SecurityGroups(cloud.database)


def test_a_project_begins_with_a_default_group_open_to_itself(groups, project):
    (default,) = finish(groups.list(caller(project), names=("default",)))
    assert len(default.rules) == 4
    assert {(rule.direction, rule.ethertype, rule.remote_group_id) for rule in default.rules} == {
        (Direction.EGRESS, "IPv4", ""), (Direction.EGRESS, "IPv6", ""),
        (Direction.INGRESS, "IPv4", default.id), (Direction.INGRESS, "IPv6", default.id)}


def test_rules_are_added_listed_and_removed(groups, project):
    me = caller(project)
    group = finish(groups.create(me, "web"))
    (rule,) = finish(groups.add_rules(me, group.id, [SSH]))
    assert rule in finish(groups.get(me, group.id)).rules
    assert finish(groups.list_rules(me, ids=(rule.id,))) == (rule,)
    finish(groups.remove_rules(me, group.id, [rule.id]))
    with pytest.raises(errors.NotFound):
        finish(groups.remove_rules(me, group.id, [rule.id]))


def test_a_rule_is_there_once_however_it_is_written(groups, project):
    me = caller(project)
    group = finish(groups.create(me, "web"))
    finish(groups.add_rules(me, group.id, [SSH]))
    for again in ({"protocol": "6"}, {"remote_cidr": "0.0.0.0/0"}, {"description": "other words"}):
        request = RuleRequest(**{"direction": Direction.INGRESS, "protocol": "tcp", "port_min": 22,
                                 "port_max": 22} | again)
        with pytest.raises(errors.AlreadyExists):
            finish(groups.add_rules(me, group.id, [request]))


def test_rules_are_added_all_or_none(groups, project):
    me = caller(project)
    group = finish(groups.create(me, "web"))
    with pytest.raises(errors.AlreadyExists):
        finish(groups.add_rules(me, group.id, [SSH, SSH]))
    assert len(finish(groups.get(me, group.id)).rules) == 2


def test_a_rule_is_told_to_the_hosts_of_the_groups_ports_alone(cloud, groups, project):
    me = caller(project)
    group = finish(groups.create(me, "web"))
    cloud.instance_port(project, "h1", group_ids=(group.id,))
    cloud.instance_port(project, "h2")
    before = finish(groups.get(me, group.id)).generation
    finish(groups.add_rules(me, group.id, [SSH]))
    assert cloud.stamped == {"h1": {(kinds.SECURITY_GROUP, group.id)}}
    assert finish(groups.get(me, group.id)).generation == before + 1
    assert cloud.read(wirings.group_wirings, [group.id])[0].rules[-1].port_min == 22


def test_a_group_in_use_stays(cloud, groups, project):
    me = caller(project)
    group, other = finish(groups.create(me, "web")), finish(groups.create(me, "db"))
    finish(groups.add_rules(me, other.id, [RuleRequest(direction=Direction.INGRESS, remote_group_id=group.id)]))
    with pytest.raises(errors.InUse):
        finish(groups.delete(me, group.id))
    cloud.instance_port(project, group_ids=(other.id,))
    with pytest.raises(errors.InUse):
        finish(groups.delete(me, other.id))


def test_a_group_nothing_uses_is_deleted_with_its_rules(groups, project):
    me = caller(project)
    group = finish(groups.create(me, "web"))
    finish(groups.delete(me, group.id))
    assert finish(groups.list_rules(me, group_ids=(group.id,))) == ()


def test_the_default_group_keeps_its_name_and_stays_for_members(groups, project):
    (default,) = finish(groups.list(caller(project), names=("default",)))
    with pytest.raises(errors.Conflict):
        finish(groups.update(caller(project), default.id, name="x"))
    with pytest.raises(errors.InUse):
        finish(groups.delete(caller(project), default.id))
    with pytest.raises(errors.AlreadyExists):
        finish(groups.create(caller(project), "default"))
    finish(groups.delete(caller(project, ADMIN), default.id))


def test_a_name_may_repeat_unless_it_is_to_be_unique(cloud, groups, project):
    me = caller(project)
    finish(groups.create(me, "web"))
    finish(groups.create(me, "web"))
    with pytest.raises(errors.AlreadyExists):
        finish(groups.create(me, "web", unique_name=True))
    with pytest.raises(errors.Conflict):
        cloud.read(store.resolve, project.id, ["web"])


def test_groups_are_resolved_by_id_or_name(cloud, groups, project):
    web = finish(groups.create(caller(project), "web"))
    assert [each.name for each in cloud.read(store.resolve, project.id, [web.id, "default", "web"])] == [
        "web", "default"]
    with pytest.raises(errors.NotFound):
        cloud.read(store.resolve, cloud.project("other").id, [web.id])


@pytest.mark.parametrize("use", [
    lambda groups, who, group: groups.get(who, group.id),
    lambda groups, who, group: groups.update(who, group.id, description="x"),
    lambda groups, who, group: groups.delete(who, group.id),
    lambda groups, who, group: groups.add_rules(who, group.id, [SSH]),
    lambda groups, who, group: groups.get_rule(who, group.rules[0].id),
    lambda groups, who, group: groups.remove_rules(who, group.id, [group.rules[0].id])])
def test_a_foreign_group_is_not_found(cloud, groups, project, use):
    foreign = finish(groups.create(caller(cloud.project("other")), "web"))
    with pytest.raises(errors.NotFound):
        finish(use(groups, caller(project), foreign))
    assert finish(groups.list(caller(project), ids=(foreign.id,))) == ()


def test_a_rule_cannot_refer_to_a_foreign_group(cloud, groups, project):
    foreign = finish(groups.create(caller(cloud.project("other")), "web"))
    mine = finish(groups.create(caller(project), "web"))
    with pytest.raises(errors.NotFound):
        finish(groups.add_rules(caller(project), mine.id, [
            RuleRequest(direction=Direction.INGRESS, remote_group_id=foreign.id)]))


def test_the_quotas_count_groups_and_rules(cloud, groups, project):
    me = caller(project)
    cloud.write(quotas.change, project.id, QuotaSet(security_groups=2, security_group_rules=6))
    group = finish(groups.create(me, "web"))
    with pytest.raises(errors.QuotaExceeded):
        finish(groups.create(me, "db"))
    with pytest.raises(errors.QuotaExceeded):
        finish(groups.add_rules(me, group.id, [SSH]))
