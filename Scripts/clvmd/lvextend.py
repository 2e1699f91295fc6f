"""What lvextend of LVM 2.02 does on one node of a cluster, request by request and write by write.

    lvextend.py GROUP/VOLUME EXTENTS DEVICE [--pause STEP] [--folder FOLDER]

    --pause STEP     before drop, suspend, commit or resume: creates FOLDER/paused and waits for
                     FOLDER/go

Exits as lvextend does: 0, or 5 with what clvmd said. Prints how long this node's device was suspended
at the most, in milliseconds.
"""
import argparse
import os
import re
import sys
import time

import lvm_metadata
from clvmd_client import (BACKUP, COMMIT, DROP, RESUME, RESUME_REVERT, REVERT, SUSPEND, UNLOCK,
                          WRITE, Client, MONITOR)


class Refused(Exception):
    pass


def extended(text, volume, count):
    """The text with the volume's only segment longer by that many extents; it has nobody behind it."""
    start = re.search(rf"^{re.escape(volume)} \{{\n", text, re.MULTILINE).start()
    body = re.sub(r"extent_count = (\d+)", lambda found: f"extent_count = {int(found[1]) + count}",
                  text[start:], count=1)
    return re.sub(r"^seqno = (\d+)$", lambda found: f"seqno = {int(found[1]) + 1}",
                  text[:start] + body, count=1, flags=re.MULTILINE)


def pause(arguments, step):
    if arguments.pause != step:
        return
    open(f"{arguments.folder}/paused", "w").close()
    while not os.path.exists(f"{arguments.folder}/go"):
        time.sleep(0.05)


def expect(reply, what):
    if not reply.is_good:
        raise Refused(f"{what}: {reply}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("volume")
    parser.add_argument("extents", type=int)
    parser.add_argument("device")
    parser.add_argument("--pause")
    parser.add_argument("--folder", default="/tmp")
    arguments = parser.parse_args()
    group_name, name = arguments.volume.split("/")
    client = Client()
    group = lvm_metadata.Group([arguments.device])
    expect(client.group(WRITE, f"V_{group_name}"), "lock")
    text = group.committed()
    volume = lvm_metadata.volume_ids(text)[arguments.volume]
    pause(arguments, "drop")
    suspended = None
    try:
        expect(client.group(DROP, f"P_{group_name}"), "drop")
        group.precommit(extended(text, name, arguments.extents))
        pause(arguments, "suspend")
        suspended = time.time()
        expect(client.volume(SUSPEND, volume), "suspend")
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        group.revert()
        client.group(DROP, f"P_{group_name}")
        client.group(REVERT, f"P_{group_name}")
        client.volume(RESUME, volume, options=MONITOR | RESUME_REVERT)
        result = 5
    else:
        pause(arguments, "commit")
        group.commit()
        client.group(COMMIT, f"P_{group_name}")
        pause(arguments, "resume")
        reply = client.volume(RESUME, volume)
        result = 0 if reply.is_good else 5
        if result:
            print(f"Problem reactivating {arguments.volume}: {reply}", file=sys.stderr)
        client.ask(BACKUP, 0, b"\x80\x04" + group_name.encode() + b"\0")
    if suspended is not None:
        print(int((time.time() - suspended) * 1000))
    client.sync()
    client.group(UNLOCK, f"V_{group_name}")
    return result


if __name__ == "__main__":
    sys.exit(main())
