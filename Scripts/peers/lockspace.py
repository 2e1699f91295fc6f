"""The control plane of one lockspace: what a cluster manager tells its members, by hand."""
import time
import zlib

from nodes import PATIENCE_SECONDS, Failure, KernelNode


class Lockspace:
    def __init__(self, name, addresses, uses_directory=True):
        self.name = name
        self.uses_directory = uses_directory
        self.addresses = addresses
        # By node number.
        self.members = {}
        self.identity = zlib.crc32(b"dlm:ls:" + name.encode() + b"\0")

    def kernels(self):
        return [node for node in self.members.values() if isinstance(node, KernelNode)]

    def peers(self):
        return [node for node in self.members.values() if not isinstance(node, KernelNode)]

    def control(self, file):
        return f"/sys/kernel/dlm/{self.name}/{file}"

    def space(self, node=None):
        folder = f"{KernelNode.CONFIG}/spaces/{self.name}"
        return folder if node is None else f"{folder}/nodes/{node}"

    # One change of the members: stop everywhere, tell everybody, start everywhere.

    def stop(self):
        writes = [(node, node.begin_write(self.control("control"), 0)) for node in self.kernels()]
        for peer in self.peers():
            peer.request("stop")
        for node, write in writes:
            node.finish(write, "stop")

    def start(self):
        for node in self.kernels():
            node.write(self.control("control"), 1)
        for peer in self.peers():
            peer.events = [event for event in peer.events if event["event"] != "started"]
            peer.request("start", members=sorted(self.members))

    def await_recovery(self):
        for peer in self.peers():
            peer.await_event(lambda event: event["event"] == "started", "event started")
        for node in self.kernels():
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not int(node.request("read", self.control("recover_status"))[0], 16) & 0x40:
                if time.monotonic() > deadline:
                    raise Failure(f"{node} does not recover")
                time.sleep(0.02)

    def tell_member(self, kernel, number):
        kernel.request("mkdir", self.space(number))
        kernel.write(f"{self.space(number)}/nodeid", number)
        kernel.write(f"{self.space(number)}/weight", 1)

    def forget_member(self, number):
        for kernel in self.kernels():
            kernel.request("rmdir", self.space(number))

    # Joining. A kernel's users join it by creating the lockspace, which waits for us.

    def begin_join_of_kernel(self, kernel):
        return kernel.send("create", self.name)

    def admit_kernel(self, kernel):
        """After the kernel was asked for the lockspace, by whatever way."""
        kernel.await_event(
            lambda event: event == ["uevent", "online", self.name], f"join of {self.name}"
        )
        self.stop()
        for other in self.kernels():
            self.tell_member(other, kernel.number)
        self.members[kernel.number] = kernel
        kernel.write(self.control("id"), self.identity)
        if not self.uses_directory:
            kernel.write(self.control("nodir"), 1)
        kernel.request("mkdir", self.space())
        for number in self.members:
            self.tell_member(kernel, number)
        self.start()
        kernel.write(self.control("event_done"), 0)
        self.await_recovery()

    def join_kernel(self, kernel):
        creation = kernel.send("create", self.name)
        self.admit_kernel(kernel)
        kernel.finish(creation, "create")

    def join_peer(self, peer):
        self.stop()
        for kernel in self.kernels():
            self.tell_member(kernel, peer.number)
        self.members[peer.number] = peer
        self.start()
        self.await_recovery()

    # Leaving.

    def release_kernel(self, kernel):
        """After the kernel was asked to give the lockspace up, by whatever way."""
        kernel.await_event(
            lambda event: event == ["uevent", "offline", self.name], f"leave of {self.name}"
        )
        self.stop()
        del self.members[kernel.number]
        for number in [kernel.number, *self.members]:
            kernel.request("rmdir", self.space(number))
        kernel.request("rmdir", self.space())
        kernel.write(self.control("event_done"), 0)
        self.forget_member(kernel.number)
        if self.members:
            self.start()
            self.await_recovery()

    def leave_kernel(self, kernel):
        """Returns the seconds that the release took."""
        started = time.monotonic()
        release = kernel.send("release", self.name)
        self.release_kernel(kernel)
        kernel.finish(release, "release")
        return time.monotonic() - started

    def leave_peer(self, peer):
        """Returns the seconds that the peer's process took to end."""
        self.stop()
        peer.request("leave")
        del self.members[peer.number]
        self.forget_member(peer.number)
        self.start()
        self.await_recovery()
        return peer.leave(5)

    # Dying. `fenced` says that the node is known to be dead.

    def remove_dead(self, node):
        del self.members[node.number]
        self.stop()
        for kernel in self.kernels():
            kernel.remove_address(node.number)
        self.forget_member(node.number)
        self.start()
        self.await_recovery()
        for kernel in self.kernels():
            kernel.add_address(node.number, self.addresses[node.number])
