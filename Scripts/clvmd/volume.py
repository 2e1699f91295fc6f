"""Single requests of LVM 2.02's commands.

    volume.py activate|exclusive|deactivate|refresh|query|lock-free DEVICE GROUP[/VOLUME] [--local]
    volume.py cluster DEVICE         marks the group on the device for clvmd
    volume.py rename DEVICE NEW      renames the group on the device, as vgrename does

Prints what clvmd answers; exits with 0 when every node has said yes, or else 5.
"""
import re
import sys

import lvm_metadata
from clvmd_client import (ACTIVATE, DEACTIVATE, EXCLUSIVE, LOCAL, RESUME, SUSPEND, UNLOCK, WRITE,
                          COMMIT, DROP, Client)


def rename(client, group, new):
    text = group.committed()
    old = text[:text.index(" {")]
    for name in ["V_" + old, "V_" + new]:
        client.group(WRITE, name)
    changed = re.sub(r"^seqno = (\d+)$", lambda found: f"seqno = {int(found[1]) + 1}",
                     new + text[text.index(" {"):], count=1, flags=re.MULTILINE)
    for name in [old, new]:
        client.group(DROP, f"P_{name}")
    group.precommit(changed)
    group.commit()
    client.group(COMMIT, f"P_{new}")
    is_good = True
    for volume in lvm_metadata.volume_ids(changed).values():
        for word in [SUSPEND, RESUME]:
            reply = client.volume(word, volume)
            print(reply)
            is_good = is_good and reply.is_good
    for name in [new, old]:
        client.group(UNLOCK, f"V_{name}")
    return is_good


def main():
    action, device, *rest = [word for word in sys.argv[1:] if not word.startswith("--")]
    flags = LOCAL if "--local" in sys.argv else 0
    group = lvm_metadata.Group([device])
    if action == "cluster":
        text = group.committed()
        group.replace(lvm_metadata.clustered(text))
        return 0
    client = Client()
    if action == "rename":
        return 0 if rename(client, group, rest[0]) else 5
    if action == "lock-free":
        reply = client.group(WRITE | 0x10, f"V_{rest[0]}")
        print(reply)
        client.group(UNLOCK, f"V_{rest[0]}")
        return 0 if reply.is_good else 5
    volume = lvm_metadata.volume_ids(group.committed())[rest[0]]
    if action == "query":
        reply = client.query(volume, flags)
        print(" ".join(f"{node}={text}" for node, (_, text) in sorted(reply.entries.items())))
        return 0
    words = {"activate": [ACTIVATE], "exclusive": [EXCLUSIVE], "deactivate": [DEACTIVATE],
             "refresh": [SUSPEND, RESUME]}[action]
    replies = [client.volume(word, volume, flags) for word in words]
    for reply in replies:
        print(reply)
    return 0 if all(reply.is_good for reply in replies) else 5


if __name__ == "__main__":
    sys.exit(main())
