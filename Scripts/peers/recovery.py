"""Nodes that come, go, and die, with thousands of resources spread over all of them."""
from nodes import CANCELLED, GRANTED, UNLOCKED, Failure


class Spread:
    """Resources of which each node masters some, and on which the others hold locks too."""

    def __init__(self, lockspace, count):
        self.lockspace = lockspace
        self.count = count
        # Node number to what `lock_many` returned.
        self.held = {}

    def fill(self):
        """Each node is first on its share, then all hold CR on everything."""
        nodes = list(self.lockspace.members.values())
        share = self.count // len(nodes)
        for index, node in enumerate(nodes):
            last = self.count if node is nodes[-1] else (index + 1) * share
            firsts = node.lock_many("spread", index * share, last - index * share, "CR")
            self.held[node.number] = [firsts]
        for index, node in enumerate(nodes):
            last = self.count if node is nodes[-1] else (index + 1) * share
            for first, end in ((0, index * share), (last, self.count)):
                if end > first:
                    self.held[node.number].append(
                        node.lock_many("spread", first, end - first, "CR")
                    )

    def come_back(self, node):
        self.held[node.number] = [node.lock_many("spread", 0, self.count, "CR")]

    def forget(self, node):
        self.held.pop(node.number, None)

    def release(self, node):
        for locks in self.held.pop(node.number, []):
            node.unlock_many(locks)

    def by_master(self, peer):
        return self.spread_by(peer, "master")

    def by_directory(self, peer):
        return self.spread_by(peer, "directory")

    def spread_by(self, peer, role):
        """Numbers of resources by node, as the peer knows them; it must know all."""
        counts = {}
        for resource in peer.dump()["resources"]:
            if resource["resource"].startswith("spread-") and resource["active"]:
                counts[resource[role]] = counts.get(resource[role], 0) + 1
        if sum(counts.values()) != self.count:
            raise Failure(f"{peer} knows {counts} of {self.count} resources")
        if not set(counts) <= set(self.lockspace.members):
            raise Failure(f"{peer}: nodes {counts} are no members")
        return counts

    def expect_holders(self, peer):
        """Where the peer is master it has exactly one lock of each member that holds some."""
        expected = sorted(self.held)
        for resource in peer.dump()["resources"]:
            if resource["resource"].startswith("spread-") and resource["master"] == peer.number:
                found = sorted(lock["node"] for lock in resource["granted"])
                if found != expected or resource["converting"] or resource["waiting"]:
                    raise Failure(f"{peer}: {resource} instead of locks of {expected}")


class Witnesses:
    """Locks around a node that is about to die: what it held, what it waited for, its values."""

    def __init__(self, label, victim, survivors):
        self.victim, self.survivors = victim, survivors
        first, second = survivors[0], survivors[-1]
        self.lost_value = [
            self.write_and_hold(f"{label}-lost-value-{index}", master, victim, first)
            for index, master in enumerate([victim, first, second])
        ]
        self.kept_value = [
            self.write_and_leave(f"{label}-kept-value-{index}", master, victim, second)
            for index, master in enumerate([victim, first, second])
        ]
        self.waiting = []
        for index, master in enumerate([victim, first, second]):
            name = f"{label}-held-{index}"
            master.lock(name, "NL").granted()
            victim.lock(name, "EX").granted()
            self.waiting += [survivor.lock(name, "PR") for survivor in survivors]
        self.blocked_by_request = []
        for index, master in enumerate([victim, first, second]):
            name = f"{label}-requested-{index}"
            master.lock(name, "NL").granted()
            held = first.lock(name, "PR")
            held.granted()
            victim.lock(name, "EX")
            held.notice()
            self.blocked_by_request.append(second.lock(name, "PR"))
            self.blocked_by_request[-1].must_wait()
        self.converting = []
        for index, master in enumerate([victim, first, second]):
            name = f"{label}-converting-{index}"
            master.lock(name, "NL").granted()
            blocker = victim.lock(name, "PR")
            blocker.granted()
            lock = second.lock(name, "PR")
            lock.granted()
            self.converting.append(lock.convert("EX"))
            blocker.notice()

    @staticmethod
    def write_and_hold(name, master, victim, reader):
        master.lock(name, "NL").granted()
        lock = reader.lock(name, "EX", "VALBLK")
        lock.granted()
        lock.convert("NL", "VALBLK", lvb="33" * 32).granted()
        victim.lock(name, "EX", "VALBLK").granted()
        return lock

    @staticmethod
    def write_and_leave(name, master, victim, reader):
        master.lock(name, "NL").granted()
        writer = victim.lock(name, "EX", "VALBLK")
        writer.granted()
        writer.convert("CR", "VALBLK", lvb="5a" * 32).granted()
        lock = reader.lock(name, "PR", "VALBLK")
        lock.granted()
        return lock

    def testify(self):
        """To be called when the survivors have recovered."""
        for lock in self.waiting + self.blocked_by_request + self.converting:
            lock.expect(GRANTED)
        for lock in self.lost_value:
            lock.convert("PR", "VALBLK").expect(GRANTED, ["VALNOTVALID"])
        for lock in self.kept_value:
            reader = self.survivors[0].lock(lock.name, "PR", "VALBLK")
            result = reader.granted()
            if result.lvb[:64] != "5a" * 32 or result.flags:
                raise Failure(f"{reader}: {result}: the value that was written is lost")


class InFlight:
    """Calls whose messages to their master never arrive, because it is cut off and then dies."""

    COUNT = 10

    def __init__(self, label, victim, peer, kernel):
        """While the victim can be reached. The kernel has a lock on every resource, so that it may
        become the master as well as the peer."""
        self.expected = []
        self.sends = []
        for number in range(self.COUNT):
            for owner, other in ((peer, kernel), (kernel, peer)):
                name = f"{label}-in-flight-{owner.number}-{number}"
                for call in (self.request, self.convert, self.unlock, self.cancel):
                    call(f"{name}-{call.__name__}", victim, owner, other)
            # A kernel as owner may lose this one.
            self.convert_sideways(f"{label}-in-flight-{number}-sideways", victim, peer, kernel)

    @staticmethod
    def prepare(name, mode, master, owner, other):
        master.lock(name, "NL").granted()
        other.lock(name, "NL").granted()
        lock = owner.lock(name, mode)
        lock.granted()
        return lock

    def request(self, name, master, owner, other):
        self.prepare(name, "NL", master, owner, other)
        self.sends.append(lambda: self.expect(owner.lock(name, "PR"), GRANTED))

    def convert(self, name, master, owner, other):
        lock = self.prepare(name, "PR", master, owner, other)
        self.sends.append(lambda: self.expect(lock.convert("EX"), GRANTED))

    def convert_sideways(self, name, master, owner, other):
        lock = self.prepare(name, "PR", master, owner, other)
        self.sends.append(lambda: self.expect(lock.convert("CW"), GRANTED))

    def unlock(self, name, master, owner, other):
        lock = self.prepare(name, "PR", master, owner, other)
        self.sends.append(lambda: self.expect(lock.unlock(), UNLOCKED))

    def cancel(self, name, master, owner, other):
        self.prepare(name, "NL", master, owner, other)
        other.lock(name, "EX").granted()
        lock = owner.lock(name, "PR")
        self.sends.append(lambda: self.expect(lock.cancel(), CANCELLED))

    def expect(self, lock, status):
        self.expected.append((lock, status))

    def send(self):
        """When the victim is cut off."""
        for send in self.sends:
            send()
        for lock, _ in self.expected:
            lock.must_wait()

    def arrive(self):
        """When the survivors have recovered."""
        for lock, status in self.expected:
            lock.expect(status)
        return len(self.expected)
