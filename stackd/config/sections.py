"""The sections of the configuration, one frozen class each. Durations are in seconds.

Daemons get the whole :class:`Config` from ``loading.load_file`` and hand each part what it needs.
"""

from attrs import frozen

from stackd.config.keys import (
    address,
    at_least,
    between,
    brokers,
    cidr,
    distinct,
    filled,
    key,
    links,
    one_of,
    ranges,
    section,
    tunnel,
    url,
    web,
)
from stackd.model.quotas import UNLIMITED, QuotaSet

LOCAL_IMAGES = "local"
"""The image driver of a cloud whose image service is its own."""
MEMORY_BUS = "memory"
"""The bus of a cloud whose daemons are all in one process."""


@frozen(kw_only=True)
class Cloud:
    """The cloud as a whole."""

    region: str = key("us-east-1", "The name of the region in both APIs.", filled)
    zones: tuple[str, ...] = key(("us-east-1a", "us-east-1b"), "Availability zones; new hosts are spread over them.",
                                 distinct)
    external_cidr: str = key("172.24.4.0/24", "Floating addresses come from this network, which real drivers route to "
                             "the guests: nothing else that this machine talks to may be in it.", cidr)
    default_network_cidr: str = key("172.31.0.0/16", "The network each new project gets.", cidr)
    state: str = key("/var/lib/stackd", "Folder for all that must outlive a restart.", filled)


@frozen(kw_only=True)
class Database:
    """Where desired and observed are kept."""

    url: str = key("sqlite:////var/lib/stackd/stackd.db", "SQLAlchemy's URL.", url, secret=True)
    threads: int = key(4, "Threads that read, and on servers write; sqlite always has one writer.", between(1, 64))


@frozen(kw_only=True)
class Bus:
    """What carries wakes, reports and calls."""

    driver: str = key(MEMORY_BUS, "Entry point of stackd.buses: amqp, or memory: all daemons in one process.", filled)
    urls: tuple[str, ...] = key(("amqp://guest:guest@127.0.0.1:5672/",), "Driver amqp: the brokers of one cluster, "
                                "tried in turn; amqps:// for TLS.", brokers, secret=True)
    ca_file: str = key("", "Driver amqp: a PEM file with the authority to trust; empty: the machine's.")
    prefix: str = key("stackd", "Driver amqp: begins the names of exchanges and queues; clouds on one broker "
                      "differ in it.", filled)
    heartbeat: float = key(15.0, "Driver amqp: a broker that is silent for three times as long is given up.",
                           at_least(0.5))
    trusted_users: tuple[str, ...] = key((), "Driver amqp: users of the broker that may say everything, beside those "
                                         "of our own urls; for hosts, the users of the control plane.")
    management: str = key("", "RabbitMQ's management API, with an administrator: http://USER:PASSWORD@HOST:15672; "
                          "'stackd host' makes users by it.", web, secret=True)


@frozen(kw_only=True)
class Api:
    """Where the APIs listen."""

    host: str = key("127.0.0.1", "The address to listen on.", address)
    port_base: int = key(8773, "N: EC2 and STS, N+1: the OpenStack APIs, N+2: metadata.", between(1, 65533))
    public_host: str = key("", "The address in the catalogue, where clients reach us by another than 'host'.")
    workers: int = key(1, "Processes of stack-api that answer, all on the same ports; 0: one for each processor core.",
                       between(0, 256))
    stop_within: float = key(30.0, "How long requests under way may take to end when the daemon is stopped.",
                             at_least(0))


@frozen(kw_only=True)
class Identity:
    """Who is it."""

    driver: str = key("sql", "Entry point of stackd.identities.", filled)
    token_lifetime: float = key(14400.0, "How long a token is good for.", at_least(60))
    password_cost: str = key("normal", "normal, or cheap: quick and weak hashes, for tests only.",
                             one_of("normal", "cheap"))


@frozen(kw_only=True)
class Scheduler:
    """Which host an instance goes to."""

    algorithm: str = key("filter", "Entry point of stackd.schedulers: filter, simple, zone, chance.", filled)
    deadline: float = key(60.0, "How long an instance waits for room before it fails.", at_least(1))
    refresh: float = key(2.0, "How old the picture of the hosts may be.", at_least(0.1))
    cpu_allocation_ratio: float = key(4.0, "Virtual processors promised for each real one.", at_least(0.1))
    memory_allocation_ratio: float = key(1.0, "Memory promised for each byte there is.", at_least(0.1))
    disk_allocation_ratio: float = key(1.0, "Disk promised for each byte there is.", at_least(0.1))


@frozen(kw_only=True)
class Compute:
    """The guests of a host."""

    driver: str = key("fake", "Entry point of stackd.hypervisors: fake, libvirt.", filled)
    virt_type: str = key("auto", "auto: KVM where it really works, else emulation.", one_of("auto", "kvm", "qemu"))
    concurrency: int = key(4, "How many guests are worked on at a time.", between(1, 1000))
    shutdown_grace: float = key(60.0, "How long a guest may take to shut down before its power is cut.", at_least(0))
    keep_images: float = key(86400.0, "How long a host keeps an image that none of its guests needs.", at_least(3600))


@frozen(kw_only=True)
class Network:
    """The wiring of a host."""

    driver: str = key("fake", "Entry point of stackd.networks: fake, linuxbridge.", filled)
    netns: str = key("", "Network namespace everything is made in; empty: the host's own.")
    public_link: str = key("", "The interface that faces the outside; empty: a bridge of our own.")
    tunnel_address: str = key("", "This host's address for the traffic of tenant networks between hosts (VXLAN); "
                              "empty: networks end at this host.", tunnel)
    snat_range: str = key("100.64.0.0/16", "Routers take their outside addresses from it, the first is the gateway's; "
                          "hosts on one public network need ranges that do not overlap.", cidr)
    physical_networks: tuple[str, ...] = key((), "The physical networks this host is on, and the interface that leads "
                                             'to each, which nothing else uses: "physnet1:eth1".', links)
    vlan_ranges: tuple[str, ...] = key((), "Control plane: the physical networks administrators may use, and the VLAN "
                                       'ids given out there, if any: "physnet1:100:199", "physnet2".', ranges)
    underlay_mtu: int = key(1500, "Control plane: the largest packet hosts and physical networks carry; new networks "
                            "in tunnels get 50 bytes less.", between(626, 9050))


@frozen(kw_only=True)
class Image:
    """The image service."""

    driver: str = key(LOCAL_IMAGES, "Entry point of stackd.images: local, or http for a service of its own.", filled)
    store: str = key("files", "Entry point of stackd.imagestores: files, memory.", filled)
    folder: str = key("/var/lib/stackd/images", "Where the store 'files' keeps the bytes.", filled)
    largest: int = key(50 * 1024**3, "The most bytes an image may have.", at_least(1))
    url: str = key("", "Driver http: the image service, as in the catalogue: http://images.example:8774/image.",
                   web)
    auth_url: str = key("", "Driver http: the identity service, for example http://keystone.example:8774/identity/v3.",
                        web)
    user: str = key("", "Driver http: the service user, of the role image-reader there; in another Glance, "
                    "an administrator.")
    password: str = key("", "Driver http: its password.", secret=True)
    user_domain: str = key("Default", "Driver http: the name of the user's domain.", filled)
    project: str = key("", "Driver http: the project the service user acts in.")
    project_domain: str = key("Default", "Driver http: the name of the project's domain.", filled)
    application_credential_id: str = key("", "Driver http: an application credential instead of user and project.")
    application_credential_secret: str = key("", "Driver http: its secret.", secret=True)
    timeout: float = key(30.0, "Driver http: how long the service may be silent.", at_least(0.1))
    ca_file: str = key("", "Driver http: a PEM file with the authority to trust; empty: the machine's.")


@frozen(kw_only=True)
class Hosts:
    """The hosts of this process, and how they keep in touch."""

    name: str = key("", "The name of this host; empty: the machine's. Several are numbered after it.")
    number: int = key(1, "How many hosts this process plays; more than one with fake drivers only.", between(1, 10000))
    heartbeat: float = key(10.0, "A host asks for its assignments at least this often.", at_least(0.1))
    resync: float = key(600.0, "Every resource is looked at again at least this often.", at_least(1))
    gone: float = key(60.0, "A host unheard of for so long gets no new instances.", at_least(1))


@frozen(kw_only=True)
class Monitor:
    """Where operators and their monitoring look."""

    host: str = key("127.0.0.1", "The address to listen on; whoever reaches it may read all that is there.", address)
    port: int = key(0, "/healthz and /metrics are served at this port of the daemon's own; 0: not at all, "
                    "and where an API listens, beside it.", between(0, 65535))


@frozen(kw_only=True)
class Logging:
    """What is logged; always JSON, one event a line."""

    level: str = key("info", "The least important events that are kept.", one_of("debug", "info", "warn", "error"))


@frozen(kw_only=True)
class Config:
    """The whole configuration; every key has a default that suits a demonstration."""

    cloud: Cloud = section(Cloud, "The cloud as a whole.")
    database: Database = section(Database, "Where desired and observed are kept.")
    bus: Bus = section(Bus, "What carries wakes, reports and calls between daemons.")
    api: Api = section(Api, "Where the APIs listen.")
    identity: Identity = section(Identity, "Who is it.")
    quotas: QuotaSet = section(QuotaSet, "The limits of projects that have none of their own; -1 is unlimited.",
                               at_least(UNLIMITED))
    scheduler: Scheduler = section(Scheduler, "Which host an instance goes to.")
    compute: Compute = section(Compute, "The guests of a host.")
    network: Network = section(Network, "The wiring of a host.")
    image: Image = section(Image, "The image service.")
    hosts: Hosts = section(Hosts, "The hosts of this process, and how they keep in touch.")
    monitor: Monitor = section(Monitor, "Health and metrics of this daemon.")
    logging: Logging = section(Logging, "What is logged; always JSON, one event a line.")
