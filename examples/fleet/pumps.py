#!/usr/bin/python3
"""Thousands of pumps in one process, each with its own connection and key. Speaks as much MQTT 3.1.1 as a
pump needs, so that a pump costs a socket and some kilobytes.

    pumps.py --port 1883 --keys pumps.csv

A pump connects, publishes its state with QoS 1, and is online when the broker has acknowledged that. Then
it stays. If it is refused or cut off, it says why, and tries again with growing pauses of random length.
At most --window of them knock at a time: a broker can only let in so many, and the others wait here
and not in a queue of the kernel that forgets them.

SIGHUP: read --new-keys; pumps whose key is another reconnect with it.
"""

import argparse
import asyncio
import collections
import csv
import os
import random
import resource
import signal
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import patient  # noqa: E402

KEEPALIVE = 60  # s
PATIENCE = 30  # s, for an answer to CONNECT and the first PUBLISH
FILES = 32  # of this process, besides the pumps' sockets

CONNECT, CONNACK, PUBLISH, PUBACK, PINGREQ, DISCONNECT = 0x10, 0x20, 0x32, 0x40, 0xC0, 0xE0


def text(value):
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def packet(kind, body=b""):
    length, size = b"", len(body)
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (0x80 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


def split(data):
    """The first packet as (kind, body, rest), or None if it is not complete."""
    length = shift = 0
    for at in range(1, min(len(data), 5)):
        length |= (data[at] & 0x7F) << shift
        shift += 7
        if data[at] < 0x80:
            end = at + 1 + length
            return (data[0], data[at + 1:end], data[end:]) if len(data) >= end else None
    if len(data) >= 5:
        raise ValueError("this is no MQTT")
    return None


class Pump(asyncio.Protocol):
    def __init__(self, fleet, name, key):
        self.fleet, self.name, self.key = fleet, name, key
        self.pause, self.said = fleet.options.pause, None
        self.transport = self.timer = None
        self.data = b""
        self.online = self.heard = self.hasty = False

    async def connect(self):
        options, loop = self.fleet.options, asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self, options.host, options.port, ssl=self.fleet.tls)
        except OSError as error:
            if error.errno and not isinstance(error, (ssl.SSLError, socket.gaierror)):
                error = OSError(error.errno, os.strerror(error.errno))  # asyncio's own text is another
            self.complain(patient.why(error))
            self.again()

    def connection_made(self, transport):
        self.transport, self.data = transport, b""
        body = text("MQTT") + struct.pack(">BBH", 4, 0xC2, KEEPALIVE)  # user, password, a clean session
        transport.write(packet(CONNECT, body + text(self.name) + text(self.name) + text(self.key)))
        self.wait(PATIENCE, self.given_up)

    def data_received(self, data):
        self.heard = True
        self.data += data
        try:
            while self.data and (first := split(self.data)):
                kind, body, self.data = first
                self.received(kind, body)
        except (ValueError, IndexError):
            self.complain("this is no MQTT broker")
            self.transport.abort()

    def received(self, kind, body):
        if kind == CONNACK and body[1]:
            reason = patient.REFUSALS.get(body[1], "for a reason of its own")
            self.complain(f"refused: {reason} (return code {body[1]})")
            self.transport.abort()
        elif kind == CONNACK:
            state = f'{{"at":{int(time.time())}}}'.encode()
            self.transport.write(packet(PUBLISH, text(f"fleet/{self.name}/state") + b"\0\1" + state))
        elif kind == PUBACK and not self.online:
            self.online, self.said, self.pause = True, None, self.fleet.options.pause
            self.fleet.came(self)
            self.ping()

    def ping(self):
        if not self.heard:
            self.given_up()
            return
        self.heard = False
        self.wait(KEEPALIVE * random.uniform(0.5, 0.75), self.ping)
        self.transport.write(packet(PINGREQ))

    def given_up(self):
        self.complain("the broker does not answer")
        self.transport.abort()

    def connection_lost(self, _error):
        self.wait(None)
        self.transport = None
        if self.online:
            self.online = False
            self.fleet.went()
            if not self.hasty:
                self.complain("cut off by the broker")
        else:
            self.complain(self.said or "the broker closed the connection")
        self.again()

    def change_key(self, key):
        self.key, self.hasty = key, True
        if self.transport:
            self.leave()

    def leave(self):
        self.transport.write(packet(DISCONNECT))
        self.transport.close()

    def again(self):
        """Between half of the pause and all of it from now, and each time twice as late."""
        self.fleet.has_knocked(self)
        delay = 0 if self.hasty else self.pause * random.uniform(0.5, 1)
        if not self.hasty:
            self.pause = min(self.pause * 2, self.fleet.options.pause_max)
        self.hasty = False
        asyncio.get_running_loop().call_later(delay, self.fleet.knock, self)

    def complain(self, reason):
        if reason != self.said:
            self.fleet.news.setdefault(reason, []).append(self.name)
        self.said = reason

    def wait(self, seconds, then=None):
        if self.timer:
            self.timer.cancel()
        self.timer = then and asyncio.get_running_loop().call_later(seconds, then)


class Fleet:
    def __init__(self, options, keys):
        self.options = options
        self.tls = ssl.create_default_context(cafile=options.ca) if options.ca else None
        self.pumps = {name: Pump(self, name, key) for name, key in keys.items()}
        self.line = collections.deque()  # who waits to knock
        self.knocking, self.tasks = set(), set()
        self.online = 0
        self.news = {}  # by reason: who
        self.since = time.monotonic()
        self.ended = asyncio.Event()

    def knock(self, pump):
        self.line.append(pump)
        self.let_some_knock()

    def let_some_knock(self):
        while self.line and len(self.knocking) < self.options.window and not self.ended.is_set():
            pump = self.line.popleft()
            self.knocking.add(pump)
            task = asyncio.ensure_future(pump.connect())
            self.tasks.add(task)  # the loop itself would forget it
            task.add_done_callback(self.tasks.discard)

    def has_knocked(self, pump):
        self.knocking.discard(pump)
        self.let_some_knock()

    def came(self, pump):
        self.online += 1
        self.has_knocked(pump)

    def went(self):
        if self.online == len(self.pumps):
            self.since = time.monotonic()
        self.online -= 1

    def read_new_keys(self):
        try:
            keys = read_keys(self.options.new_keys)
        except (OSError, ValueError) as error:
            patient.say(f"no new keys: {error}")
            return
        changed = [pump for name, pump in self.pumps.items() if keys.get(name, pump.key) != pump.key]
        for pump in changed:
            pump.change_key(keys[pump.name])
        patient.say(f"{len(changed)} pumps have a new key")

    async def report(self):
        said = None
        while True:
            news, self.news = self.news, {}
            for reason, names in news.items():
                more = f" and {len(names) - 1} more" if len(names) > 1 else ""
                patient.say(f"{names[0]}{more}: {reason}; trying again with growing pauses")
            if said != self.online:
                said = self.online
                took = f", after {time.monotonic() - self.since:.1f} s" if said == len(self.pumps) else ""
                patient.say(f"{said} of {len(self.pumps)} online{took}")
            await asyncio.sleep(0.5)

    async def run(self):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.ended.set)
        if self.options.new_keys:
            loop.add_signal_handler(signal.SIGHUP, self.read_new_keys)
        reporter = asyncio.ensure_future(self.report())
        for pump in self.pumps.values():
            self.knock(pump)
        await self.ended.wait()
        reporter.cancel()
        for pump in self.pumps.values():
            if pump.transport:
                pump.leave()


def read_keys(path, only=None):
    with open(path, newline="", encoding="ascii") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames != ["device", "key"]:
            raise ValueError(f"{path}: the first line has to be device,key")
        return {row["device"]: row["key"] for row in rows if not only or row["device"] in only}


def as_many_as_fit(keys):
    """Each pump needs a file: raises the limit as far as it goes, and leaves out who is beyond it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = len(keys) + FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    fit = wanted - FILES
    if fit < len(keys):
        patient.say(f"only {fit} of {len(keys)} pumps: `ulimit -Hn` is {hard}, and each pump needs a file")
    return dict(list(keys.items())[:fit])


def main():
    parser = argparse.ArgumentParser(description="Thousands of pumps.")
    parser.add_argument("--host", default="127.0.0.1", help="an address; a name is looked up for each pump")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--ca", help="TLS: the certificate of the authority that signed the broker's")
    parser.add_argument("--keys", required=True, help="CSV of devreg: device,key")
    parser.add_argument("--new-keys", help="the same, read at SIGHUP")
    parser.add_argument("--only", help="a file with the ids of those that are meant, one a line")
    parser.add_argument("--window", type=int, default=64, help="so many knock at a time")
    parser.add_argument("--pause", type=float, default=1, help="s before the first new attempt")
    parser.add_argument("--pause-max", type=float, default=60)
    options = parser.parse_args()
    try:
        only = None
        if options.only:
            with open(options.only, encoding="ascii") as file:
                only = set(file.read().split())
        fleet = Fleet(options, as_many_as_fit(read_keys(options.keys, only)))
    except (OSError, ValueError) as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    asyncio.run(fleet.run())


if __name__ == "__main__":
    main()
