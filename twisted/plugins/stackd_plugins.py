"""stackd's daemons for ``twistd``: one line each, so that listing them imports nothing of stackd."""

from twisted.application.service import ServiceMaker

api = ServiceMaker("stack-api", "stackd.daemons.api", "The OpenStack and EC2 APIs.", "stack-api")
scheduler = ServiceMaker("stack-scheduler", "stackd.daemons.scheduler", "Finds hosts for instances.", "stack-scheduler")
conductor = ServiceMaker(
    "stack-conductor", "stackd.daemons.conductor", "Speaks for the database to the hosts.", "stack-conductor")
compute = ServiceMaker("stack-compute", "stackd.daemons.compute", "The guests of one host.", "stack-compute")
network = ServiceMaker("stack-network", "stackd.daemons.network", "The wiring of one host.", "stack-network")
image = ServiceMaker("stack-image", "stackd.daemons.image", "The image API and its bytes.", "stack-image")
registry = ServiceMaker(
    "stack-registry", "stackd.daemons.registry", "Owns what is known about images.", "stack-registry")
cloud = ServiceMaker("stack-cloud", "stackd.daemons.cloud", "The whole cloud in one process.", "stack-cloud")
