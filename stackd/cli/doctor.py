"""``stackd doctor``: what this machine lacks to run a real cloud, or a daemon of one, and the command that mends it."""

import argparse
from pathlib import Path

from stackd.cli import examinations
from stackd.cli.examinations import Finding

MARKS = {True: "ok", False: "LACKS"}


def add(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand's arguments."""
    parser = subcommands.add_parser("doctor", help="what this machine lacks, and the command that mends it")
    parser.add_argument("--drivers", choices=("fake", "real"), default=None,
                        help="fake: examine only what a cloud without guests needs (default: real, with --config fake)")
    parser.add_argument("--config", type=Path, metavar="FILE",
                        help="examine what the daemon of this configuration needs: the broker, with what was set aside "
                             "there, and the database")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Examine, print, and tell by the exit status whether everything needed is there."""
    findings = list(examinations.python_part())
    if arguments.config:
        from stackd.cli.connections import daemon_part

        findings += daemon_part(arguments.config)
    if (arguments.drivers or ("fake" if arguments.config else "real")) == "real":
        findings += examinations.machine_part()
    print(report(findings))
    return 0 if all(finding.well or not finding.needed for finding in findings) else 1


def report(findings: list[Finding]) -> str:
    """One line a finding, then the commands that mend what is missing, each once."""
    width = max(len(finding.name) for finding in findings)
    lines = [f"{mark(finding):<5}  {finding.name:<{width}}  {finding.detail}".rstrip() for finding in findings]
    packages = sorted({finding.package for finding in findings if not finding.well and finding.package})
    remedies = [f"apt-get install -y {' '.join(packages)}"] if packages else []
    remedies += dict.fromkeys(finding.remedy for finding in findings if not finding.well and finding.remedy)
    if remedies:
        lines += ["", "To mend it (as root):", *(f"    {remedy}" for remedy in remedies)]
    return "\n".join(lines)


def mark(finding: Finding) -> str:
    """The first word of a finding's line."""
    return MARKS[finding.well] if finding.needed or finding.well else "note"
