"""patient.py - an MQTT client that says why it is not connected, and tries again with growing pauses.

A wrong key, a broker that is away and a certificate that is not trusted are three things: each is said
once in one line, and again only when it changes. Needs paho-mqtt (Debian: python3-paho-mqtt).

    options = patient.arguments("Shows a toaster.").parse_args()
    client = patient.Client(options, topics=["anna/feeds/#"], on_message=print_it)
    client.run()
"""

import argparse
import random
import signal
import socket
import ssl
import sys
import time

import paho.mqtt.client as mqtt

KEEPALIVE = 60
REFUSALS = {1: "this broker speaks another version of MQTT", 2: "this client id is not let in",
            3: "the broker is not ready", 4: "the name or the key is wrong", 5: "the name or the key is wrong"}


def arguments(what):
    """The options that every client of the examples has."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--user", required=True, help="the device's id")
    parser.add_argument("--key-file", required=True, help="a file that only its owner can read")
    parser.add_argument("--id", help="the client id; the device's id if left out")
    parser.add_argument("--ca", help="TLS: the certificate of the authority that signed the broker's")
    parser.add_argument("--pause", type=float, default=1, help="s before the first new attempt")
    parser.add_argument("--pause-max", type=float, default=60)
    return parser


def say(*words):
    print(*words, flush=True)


def read_key(path):
    with open(path, encoding="ascii") as file:
        return file.readline().strip()


def why(error):
    """Says of an exception of connect() or loop() what went wrong, for a person."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS with this broker: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return "the broker's name is not known"
    return f"the broker is away: {error.strerror or error}"


class Client:
    """`topics` are subscribed to, with QoS 1, at each connect. `on_message(client, topic, payload)`;
    `on_online(client)` after each connect. `will` is (topic, payload) or None. `session` True keeps the
    broker's session while this client is away."""

    def __init__(self, options, topics=(), on_message=None, on_online=None, will=None, session=False):
        self.options, self.topics, self.on_online = options, list(topics), on_online
        self.pause, self.said, self.online, self.ending = options.pause, None, False, False
        self.mqtt = mqtt.Client(options.id or options.user, clean_session=not session)
        self.mqtt.username_pw_set(options.user, read_key(options.key_file))
        if options.ca:
            self.mqtt.tls_set(options.ca)
        if will:
            self.mqtt.will_set(*will, qos=1)
        self.mqtt.on_connect = self._connected
        self.mqtt.on_message = lambda _, __, m: on_message and on_message(self, m.topic, m.payload)

    def publish(self, topic, payload, qos=1, retain=False):
        return self.mqtt.publish(topic, payload, qos, retain)

    def end(self):
        """run() returns, once what was published has been handed over."""
        self.ending = True

    def run(self, tick=None, every=1.0):
        """Until end(), SIGINT or SIGTERM; `tick(client)` each `every` seconds while connected."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.end())
        while not self.ending:
            try:
                self.mqtt.connect(self.options.host, self.options.port, KEEPALIVE)
                self._stay(tick, every)
            except OSError as error:
                self._complain(why(error))
            self.online = False
            if not self.ending:
                self._rest()

    def _stay(self, tick, every):
        next_tick = time.monotonic()
        while not self.ending or (self.online and self.mqtt.want_write()):
            code = self.mqtt.loop(timeout=min(every, 0.2))
            if code == mqtt.MQTT_ERR_CONN_REFUSED:
                return
            if code != mqtt.MQTT_ERR_SUCCESS:
                self._complain("the broker is away: " + mqtt.error_string(code))
                return
            if self.online and tick and time.monotonic() >= next_tick:
                next_tick = time.monotonic() + every
                tick(self)
        self.mqtt.disconnect()
        self.mqtt.loop(timeout=0.2)

    def _connected(self, _client, _userdata, _flags, code):
        if code:
            self._complain(f"refused: {REFUSALS.get(code, 'for a reason of its own')} (return code {code})")
            return
        say("connected")
        self.online, self.said, self.pause = True, None, self.options.pause
        for topic in self.topics:
            self.mqtt.subscribe(topic, 1)
        if self.on_online:
            self.on_online(self)

    def _complain(self, text):
        if text != self.said:
            say(text + ";", "trying again with growing pauses")
        self.said = text

    def _rest(self):
        """Between half of the pause and all of it, so that a thousand clients do not come at once."""
        end = time.monotonic() + self.pause * random.uniform(0.5, 1)
        while time.monotonic() < end and not self.ending:
            time.sleep(min(0.1, max(0, end - time.monotonic())))
        self.pause = min(self.pause * 2, self.options.pause_max)


if __name__ == "__main__":
    sys.exit("patient.py is for the other programs here to import")
