"""What lock managers owe each other while nobody comes or goes: between two nodes, with either of
them or a third as master."""
from nodes import CANCELLED, DEADLOCK, GRANTED, MODES, UNLOCKED, WOULD_BLOCK, Failure, are_compatible

PAIRS = [(first, second) for first in MODES for second in MODES]
VALUE = {"first": "11" * 32, "second": "22" * 32, "third": "33" * 32}


def value_of(result):
    return result.lvb[:64]


def expect_value(result, value, what):
    if value_of(result) != value or "VALNOTVALID" in result.flags:
        raise Failure(f"{what}: {result} instead of {value[:8]}…")


def make_master(node, name):
    """`node` is asked first, and keeps a lock that is in nobody's way."""
    return node.lock(name, "NL").granted() and name


def make_master_of_all(node, names):
    for lock in [node.lock(name, "NL") for name in names]:
        lock.granted()


def mode_pairs(label, holder, requester, master):
    """Holder and requester in every pair of modes: granted, or a notice and granted after it."""
    names = {pair: f"{label}-pair-{pair[0]}-{pair[1]}" for pair in PAIRS}
    make_master_of_all(master, names.values())
    held = {pair: holder.lock(names[pair], pair[0]) for pair in PAIRS}
    for lock in held.values():
        lock.granted()
    wanted = {pair: requester.lock(names[pair], pair[1]) for pair in PAIRS}
    for pair, lock in wanted.items():
        if are_compatible(*pair):
            lock.granted()
        elif held[pair].notice() != pair[1]:
            raise Failure(f"{held[pair]}: a notice for another mode than {pair[1]}")
    for pair, lock in wanted.items():
        if not are_compatible(*pair):
            lock.must_wait()
        held[pair].unlock()
    for pair, lock in wanted.items():
        held[pair].expect(UNLOCKED)
        if not are_compatible(*pair):
            lock.granted()
        lock.unlock()
    for lock in wanted.values():
        lock.expect(UNLOCKED)
    return len(PAIRS)


def conversions(label, converter, other, master):
    """Every conversion, beside every mode that its old mode allows the other node."""
    count = 0
    for beside in MODES:
        pairs = [pair for pair in PAIRS if are_compatible(pair[0], beside)]
        names = {pair: f"{label}-convert-{beside}-{pair[0]}-{pair[1]}" for pair in pairs}
        make_master_of_all(master, names.values())
        others = {pair: other.lock(names[pair], beside) for pair in pairs}
        locks = {pair: converter.lock(names[pair], pair[0]) for pair in pairs}
        for lock in [*others.values(), *locks.values()]:
            lock.granted()
        for pair, lock in locks.items():
            lock.convert(pair[1])
        for pair, lock in locks.items():
            if are_compatible(pair[1], beside):
                lock.granted()
            elif others[pair].notice() != pair[1]:
                raise Failure(f"{others[pair]}: a notice for another mode than {pair[1]}")
        for pair, lock in locks.items():
            if not are_compatible(pair[1], beside):
                lock.must_wait()
                others[pair].convert("NL").granted()
                lock.granted()
        for lock in [*locks.values(), *others.values()]:
            lock.unlock()
        for lock in [*locks.values(), *others.values()]:
            lock.expect(UNLOCKED)
        count += len(pairs)
    return count


def value_blocks(label, writer, reader, master):
    """Written by conversion and by unlock, read by request and by conversion, and invalidated."""
    name = make_master(master, f"{label}-value")
    kept = reader.lock(name, "NL", "VALBLK")
    kept.granted()
    write = writer.lock(name, "EX", "VALBLK")
    write.granted()
    write.convert("NL", "VALBLK", lvb=VALUE["first"]).granted()
    read = reader.lock(name, "PR", "VALBLK")
    expect_value(read.granted(), VALUE["first"], "written by a conversion, read by a request")
    read.unlock().expect(UNLOCKED)
    write.convert("PW", "VALBLK").granted()
    write.unlock("VALBLK", lvb=VALUE["second"]).expect(UNLOCKED)
    kept.convert("PR", "VALBLK")
    expect_value(kept.granted(), VALUE["second"], "written by an unlock, read by a conversion")
    kept.convert("NL").granted()
    invalid = writer.lock(name, "EX", "VALBLK")
    invalid.granted()
    invalid.convert("NL", "VALBLK", "IVVALBLK").granted()
    kept.convert("PR", "VALBLK").expect(GRANTED, ["VALNOTVALID"])
    kept.convert("NL").granted()
    invalid.convert("EX", "VALBLK").granted()
    invalid.convert("NL", "VALBLK", lvb=VALUE["third"]).granted()
    kept.convert("PR", "VALBLK")
    expect_value(kept.granted(), VALUE["third"], "written after it was invalid")
    for lock in (kept, invalid):
        lock.unlock().expect(UNLOCKED)


def refusals(label, asker, holder, master):
    """NOQUEUE, cancel and forced unlock of what waits."""
    name = make_master(master, f"{label}-refusals")
    held = holder.lock(name, "PR")
    held.granted()
    asker.lock(name, "EX", "NOQUEUE").expect(WOULD_BLOCK)
    asker.lock(name, "EX", "NOQUEUE", "NOQUEUEBAST").expect(WOULD_BLOCK)
    if held.notice() != "EX":
        raise Failure(f"{held}: NOQUEUEBAST brought a notice for another mode")

    waiting = asker.lock(name, "PW")
    waiting.cancel().expect(CANCELLED)
    asker.lock(name, "PW").unlock("FORCEUNLOCK").expect(UNLOCKED)

    lock = asker.lock(name, "PR")
    lock.granted()
    lock.convert("EX", "NOQUEUE").expect(WOULD_BLOCK)
    lock.convert("EX").cancel().expect(CANCELLED)
    for each in (lock, held):
        each.unlock().expect(UNLOCKED)


def deadlocks(label, asker, holder, master):
    """Two that want to convert, each in the other's way: refused, or one gives its mode up."""
    name = make_master(master, f"{label}-deadlocks")
    held, lock = holder.lock(name, "PR"), asker.lock(name, "PR")
    for each in (held, lock):
        each.granted()
    lock.convert("EX")
    held.notice()
    lock.must_wait()
    held.convert("EX").expect(DEADLOCK)
    held.convert("EX", "CONVDEADLK")
    lock.granted()
    held.must_wait()
    lock.convert("NL").granted()
    held.expect(GRANTED, ["DEMOTED"])
    for each in (lock, held):
        each.unlock().expect(UNLOCKED)


def order_and_alternatives(label, asker, holder, master):
    """HEADQUE, NOORDER, EXPEDITE, QUECVT, ALTPR, ALTCW."""
    name = make_master(master, f"{label}-order")
    held = holder.lock(name, "PR")
    held.granted()
    last = asker.lock(name, "EX")
    held.notice()
    first = asker.lock(name, "EX", "HEADQUE")
    asker.lock(name, "PR", "NOORDER").granted()
    asker.lock(name, "NL", "EXPEDITE").granted()
    queued = asker.lock(name, "CR")
    for lock in (last, first, queued):
        lock.must_wait()
    for lock in (first, last):
        lock.cancel().expect(CANCELLED)
    queued.granted()
    alternative = asker.lock(name, "EX", "ALTPR")
    alternative.expect(GRANTED, ["ALTMODE"])
    other = make_master(master, f"{label}-alternative")
    held_writer = holder.lock(other, "CW")
    held_writer.granted()
    asker.lock(other, "EX", "ALTCW").expect(GRANTED, ["ALTMODE"])
    third = make_master(master, f"{label}-quecvt")
    guard, early, late = holder.lock(third, "PR"), asker.lock(third, "PR"), asker.lock(third, "NL")
    for lock in (guard, early, late):
        lock.granted()
    early.convert("EX")
    guard.notice()
    late.convert("CR", "QUECVT").must_wait()
    early.cancel().expect(CANCELLED)
    late.granted()
