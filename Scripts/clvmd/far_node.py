"""The other node of the recordings of two nodes: a service there, and the way to it from here.

    far_node.py      serves on the node's address, until it is killed

A connection begins with a line: `clvmd`, and what follows goes to clvmd's socket and back; or
`run COMMAND`, which a shell runs, and its exit status and output come back.
"""
import os
import socket
import socketserver
import subprocess
import threading

from clvmd_client import SOCKET, Client

PORT = 7000


class Service(socketserver.StreamRequestHandler):
    # What comes behind the first line is clvmd's.
    rbufsize = 0

    def handle(self):
        word, _, rest = self.rfile.readline().decode().strip().partition(" ")
        if word == "run":
            result = subprocess.run(rest, shell=True, capture_output=True, text=True)
            text = f"{result.returncode}\n{result.stdout}{result.stderr}"
            self.wfile.write(text.encode())
        else:
            self.relay()

    def relay(self):
        near = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        near.connect(SOCKET)
        threading.Thread(target=pump, args=(near, self.connection), daemon=True).start()
        pump(self.connection, near)


def pump(source, target):
    """Until one side ends; the end of the client must be seen by clvmd at once."""
    try:
        while data := source.recv(4096):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class FarNode:
    def __init__(self, address):
        self.address = (address, PORT)

    def client(self):
        """A client of the clvmd there."""
        connection = socket.create_connection(self.address, timeout=300)
        connection.sendall(b"clvmd\n")
        return Client(connection=connection)

    def run(self, command):
        """The output; fails when the command does."""
        with socket.create_connection(self.address, timeout=300) as connection:
            connection.sendall(f"run {command}\n".encode())
            data = b""
            while more := connection.recv(65536):
                data += more
        status, _, text = data.decode().partition("\n")
        if status != "0":
            raise RuntimeError(f"on {self.address[0]}: {command}: {text}")
        return text


def main():
    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    with Server(("", PORT), Service) as server:
        server.serve_forever()


if __name__ == "__main__":
    os.chdir("/")
    main()
