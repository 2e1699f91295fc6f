"""An OCFS2 file system of two kernels, with a dlm-peer as third member of its lockspace."""
import pathlib
import subprocess

from lockspace import Lockspace
from nodes import Failure, SwiftNode

DEVICE, FOLDER = "/dev/ubdb", "/mnt/shared"


class SharedFileSystem:
    def __init__(self, image, cluster_name, addresses, lab):
        subprocess.run(
            ["mkfs.ocfs2", "-q", "-F", "-b", "4K", "-C", "4K", "-N", "3", "-J", "size=8M"]
            + ["--cluster-stack=pcmk", f"--cluster-name={cluster_name}", image],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        output = subprocess.run(
            ["tunefs.ocfs2", "-Q", "%U", image], capture_output=True, text=True, check=True
        ).stdout
        self.image, self.lab = image, pathlib.Path(lab)
        self.lockspace = Lockspace(output.strip().replace("-", "").upper(), addresses)

    def peer(self, program, number, log):
        addresses = self.lockspace.addresses
        return SwiftNode(
            program, number, addresses[number], addresses, self.lockspace.name, log,
            ["--lvb-length", "64"],
        )  # fmt: skip

    def mount(self, kernel):
        job = kernel.spawn(f"mkdir -p {FOLDER} && mount -t ocfs2 {DEVICE} {FOLDER}")
        self.lockspace.admit_kernel(kernel)
        kernel.finish_shell(job)

    def unmount(self, kernel):
        job = kernel.spawn(f"umount {FOLDER}")
        self.lockspace.release_kernel(kernel)
        kernel.finish_shell(job)

    def start_load(self, kernel):
        """Returns the job; `load_count` says how far it is."""
        status = f"/lab/load-{kernel.number}"
        return kernel.spawn(f"exec /lab/guest/metadata-load {FOLDER} n{kernel.number} {status}")

    def load_count(self, kernel):
        try:
            return int((self.lab / f"load-{kernel.number}").read_text() or 0)
        except FileNotFoundError:
            return 0

    def stop_load(self, kernel, job):
        """Returns the names that the load left."""
        kernel.shell(f"kill -TERM {job.with_suffix('.pid').read_text()}")
        return set(kernel.finish_shell(job, 60).split())

    def names(self, kernel):
        return set(kernel.shell(f"cd {FOLDER}/load && find . -mindepth 1 | cut -c 3-").split())

    def check(self):
        result = subprocess.run(
            ["fsck.ocfs2", "-fn", self.image], capture_output=True, text=True, check=False
        )
        (self.lab / "fsck.log").write_text(result.stdout + result.stderr)
        if result.returncode != 0:
            raise Failure(f"fsck.ocfs2: status {result.returncode}: {result.stdout[-500:]}")


def hold_what_the_directory_knows(peer):
    """Takes NL locks on all resources that the peer hears of as directory node: when their master
    leaves, the peer is the next. Returns how many."""
    names = [
        resource["resource_hex"]
        for resource in peer.dump()["resources"]
        if resource["directory"] == peer.number and resource["master"] != peer.number
    ]
    for name in names:
        answer = peer.request("lock", resource_hex=name, mode="NL")
        peer.locks[answer["lkid"]].granted()
    return len(names)


def mastered(peer):
    """Active resources that the peer masters, and those of them that others use."""
    resources = [
        resource
        for resource in peer.dump()["resources"]
        if resource["active"] and resource["master"] == peer.number
    ]
    shared = [
        resource
        for resource in resources
        if any(lock["node"] != peer.number for lock in resource["granted"])
    ]
    return len(resources), len(shared)
