"""Machines of their own, as network namespaces: each with its address, on one switch, and cut off
at will.

The switch is a namespace, too, so that nothing of it is seen outside, and all addresses are free.
Names carry this process's id; all is removed at the end. Needs root.
"""

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from cluster import Cluster, Node

NODE_PORT = 7080
_numbers = itertools.count(1)


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Machine:
    """One namespace with one address."""

    def __init__(self, network: "Network", number: int):
        self.network, self.number = network, number
        self.namespace = f"{network.name}-{number}"
        self.address = f"{network.prefix}.{number}"

    def make(self) -> None:
        ip("netns", "add", self.namespace)
        ip("-n", self.network.switch, "link", "add", f"port{self.number}", "type", "veth",
           "peer", "name", "eth0", "netns", self.namespace)
        ip("-n", self.network.switch, "link", "set", f"port{self.number}", "master", "bridge", "up")
        ip("-n", self.namespace, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            ip("-n", self.namespace, "link", "set", link, "up")

    def command(self, *words: str) -> list[str]:
        """Runs on this machine; `ip` becomes the command, with the same pid."""
        return ["ip", "netns", "exec", self.namespace, *words]

    def run(self, *words: str, **settings) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*words), capture_output=True, text=True, **settings)

    def unplug(self) -> None:
        """Nothing gets in or out any more, and nobody is told: the link stays up."""
        ip("-n", self.network.switch, "link", "set", f"port{self.number}", "nomaster")

    def plug(self) -> None:
        ip("-n", self.network.switch, "link", "set", f"port{self.number}", "master", "bridge")

    def lose(self, *others: "Machine") -> None:
        """What this one sends to the others is lost; what they send arrives."""
        for other in others:
            ip("-n", self.namespace, "route", "add", "blackhole", f"{other.address}/32")

    def find(self, *others: "Machine") -> None:
        for other in others:
            ip("-n", self.namespace, "route", "del", "blackhole", f"{other.address}/32")


class Network:
    """Machines on one switch."""

    def __init__(self, count: int, prefix: str = "10.77.0", hosts: dict[int, str] | None = None):
        self.name = f"vortex-{os.getpid()}-{next(_numbers)}"
        self.switch, self.prefix = f"{self.name}-switch", prefix
        self.machines = [Machine(self, number) for number in range(1, count + 1)]
        self.hosts = hosts or {}

    def __enter__(self) -> "Network":
        if os.geteuid() != 0 or not shutil.which("ip"):
            pytest.skip("network namespaces need root and iproute2")
        probe = subprocess.run(["ip", "netns", "add", self.switch], capture_output=True, text=True)
        if probe.returncode != 0:
            pytest.skip(f"no network namespaces: {probe.stderr.strip()}")
        try:
            ip("-n", self.switch, "link", "add", "bridge", "type", "bridge")
            ip("-n", self.switch, "link", "set", "bridge", "up")
            for machine in self.machines:
                machine.make()
                self.name_hosts(machine)
        except BaseException:
            self.__exit__()
            raise
        return self

    def name_hosts(self, machine: Machine) -> None:
        """`ip netns exec` shows this file as /etc/hosts."""
        if not self.hosts:
            return
        directory = Path("/etc/netns") / machine.namespace
        directory.mkdir(parents=True)
        lines = [f"{self.prefix}.{number} {name}" for number, name in self.hosts.items()]
        (directory / "hosts").write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))

    def __exit__(self, *_) -> None:
        for namespace in [*[one.namespace for one in self.machines], self.switch]:
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True)
            shutil.rmtree(Path("/etc/netns") / namespace, ignore_errors=True)


class MachineNode(Node):
    """A node on a machine of its own. Its clients are on the same machine, by a Unix socket, and so
    not touched by what happens to the network."""

    def __init__(self, machine: Machine, directory: Path, secret: Path, join, flags, sockets: Path):
        super().__init__(directory, secret, join, flags, unix=str(sockets / f"{machine.number}"))
        self.machine = machine
        self.address = f"{machine.address}:{NODE_PORT}"

    def command(self) -> list[str]:
        return self.machine.command(*super().command())


class MachineCluster(Cluster):
    """A cluster with each node on a machine of its own."""

    def __init__(self, directory: Path, flags=(), network: Network | None = None):
        super().__init__(directory, flags)
        self.network = network
        self.sockets = Path(tempfile.mkdtemp(prefix="vx-"))  # a socket's path may have 107 bytes

    def make(self, number: int, join) -> MachineNode:
        machine = self.network.machines[number - 1]
        return MachineNode(machine, self.directory / f"node-{number}", self.secret, join,
                           self.flags, self.sockets)

    def end(self) -> None:
        super().end()
        shutil.rmtree(self.sockets, ignore_errors=True)
