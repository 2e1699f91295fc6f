"""A client that speaks to clvmd's socket as the commands of LVM 2.02 do."""
import socket
import struct
import time

SOCKET = "/run/lvm/clvmd.sock"
LOCAL, REMOTE = 1, 8
TEST, REFRESH, CLUSTER_NAME, SET_DEBUG, BACKUP, RESTART, SYNC_NAMES = 4, 40, 41, 42, 43, 44, 45
LOCK_VOLUME, LOCK_GROUP, QUERY = 50, 51, 52

ACTIVATE, EXCLUSIVE, SUSPEND, RESUME, DEACTIVATE = 0x99, 0x9D, 0x9C, 0x9E, 0x98
READ, WRITE, UNLOCK = 0x01, 0x04, 0x06
DROP, COMMIT, REVERT = 0x04, 0x24, 0x21
MONITOR, RESUME_REVERT = 0x04, 0x80


def encode(command, flags=0, arguments=b"", node=""):
    length = max(len(arguments) - 1, 0)
    return (struct.pack("<BBHIiI", command, flags, 0, 0, 0, length) + node.encode() + b"\0"
            + (arguments or b"\0"))


def reply_size(data):
    """How many bytes the reply has that begins with these; nil while that is not known."""
    if len(data) < 18:
        return None
    return 18 + struct.unpack_from("<I", data, 12)[0]


class Reply:
    def __init__(self, data):
        self.data = data
        self.status = struct.unpack_from("<i", data, 8)[0]
        self.entries = {}
        rest = data[17:-1]
        while rest:
            node, rest = rest.split(b"\0", 1)
            status = struct.unpack_from("<i", rest)[0]
            text, rest = rest[4:].split(b"\0", 1)
            self.entries[node.decode()] = (status, text.decode("ascii", "replace"))

    @property
    def is_good(self):
        return self.status == 0 and all(status == 0 for status, _ in self.entries.values())

    def __repr__(self):
        return f"status {self.status}, {self.entries}"


class Client:
    def __init__(self, path=SOCKET, timeout=300, connection=None):
        """A new connection to the socket, or one that stands for it."""
        if connection:
            self.socket = connection
            return
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        for _ in range(200):
            # A daemon that was told to start anew refuses connections for a moment.
            try:
                self.socket.connect(path)
                return
            except (ConnectionRefusedError, BlockingIOError):
                # So does one whose queue is full, where a client without a time-out would wait.
                time.sleep(0.1)
        self.socket.connect(path)

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The next reply's bytes; fewer, or none, when the connection ends."""
        data = b""
        while reply_size(data) is None or len(data) < reply_size(data):
            more = self.socket.recv((reply_size(data) or 18) - len(data))
            if not more:
                return data
            data += more
        return data

    def ask(self, command, flags=0, arguments=b"", node=""):
        self.send(encode(command, flags, arguments, node))
        data = self.receive()
        if not data:
            raise EOFError("clvmd closed the connection")
        return Reply(data)

    def volume(self, word, volume, flags=0, options=MONITOR):
        return self.ask(LOCK_VOLUME, flags, bytes([word, options]) + volume.encode() + b"\0")

    def group(self, word, name):
        """A lock of a group (`V_…`) is asked of this node, what is said of its metadata of all."""
        flags = LOCAL if name.startswith("V_") else 0
        return self.ask(LOCK_GROUP, flags, bytes([word, MONITOR]) + name.encode() + b"\0")

    def query(self, volume, flags=0):
        return self.ask(QUERY, flags, b"\0\0" + volume.encode() + b"\0")

    def sync(self, flags=0):
        return self.ask(SYNC_NAMES, flags, b"\0\x04#sync_names\0")
