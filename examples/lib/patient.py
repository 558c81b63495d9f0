"""patient.py - an MQTT client that says why it is not connected, and tries again with growing pauses.

A wrong key, a broker that is away and a certificate that is not trusted are three things: each is said
once in one line, and again only when it changes. The key is read from its file at each attempt, so that
a new one needs no restart. Needs paho-mqtt 1.6 (Debian: python3-paho-mqtt).

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

HANGS_UP = "the broker hangs up and says nothing: is this port for something else, such as TLS?"
KEEPALIVE = 60
ANSWER = 10  # s that a broker may take to answer
HAND_OVER = 5  # s that are left at the end for what was published
NOT_GRANTED = 0x80
WRONG = "the name or the key is wrong, or the device is switched off"
REFUSALS = {1: "this broker speaks another version of MQTT", 2: "this client id is not let in",
            3: "the broker is not ready", 4: WRONG, 5: WRONG}


def port(text):
    if not 1 <= int(text) <= 65535:
        raise ValueError
    return int(text)


def arguments(what):
    """The options that every client of the examples has."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=port, default=1883)
    parser.add_argument("--user", required=True, help="the device's id")
    parser.add_argument("--key-file", required=True, help="a file that only its owner can read")
    parser.add_argument("--id", help="the client id; the device's id if left out")
    parser.add_argument("--ca", help="TLS: the certificate of the authority that signed the broker's")
    parser.add_argument("--websockets", metavar="PATH", help="connect over WebSockets, as to /mqtt")
    parser.add_argument("--pause", type=float, default=1, help="s before the first new attempt")
    parser.add_argument("--pause-max", type=float, default=60)
    return parser


def say(*words):
    print(*words, flush=True)


def read_key(path):
    with open(path, encoding="ascii") as file:
        key = file.readline().strip()
    if not key:
        raise ValueError("it is empty")
    return key


def why(error):
    """Says of an exception of connect() what went wrong, for a person."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS with this broker: {error.reason or error}"
    if isinstance(error, mqtt.WebsocketConnectionError):
        return f"no WebSockets with this broker: {error}"
    if isinstance(error, ConnectionResetError):
        return HANGS_UP
    if isinstance(error, socket.gaierror):
        return "the broker's name is not known"
    return f"the broker is away: {error.strerror or error}"


class Client:
    """`topics` are subscribed to, with QoS 1, at each connect. `on_message(client, topic, payload)`.
    `on_online(client)` at each connect, when all subscriptions are answered. `will` is (topic, payload), or
    (topic, payload, qos, retain). `session` True keeps the broker's session while this client is away."""

    def __init__(self, options, topics=(), on_message=None, on_online=None, will=None, session=False):
        self.options, self.topics, self.on_online = options, list(topics), on_online
        self.pause, self.said, self.online, self.ending = options.pause, None, False, False
        self.sent = []  # what has been published and perhaps not acknowledged: see open()
        self.asked = {}  # message id -> topic of what has been subscribed to and not answered
        self.mqtt = mqtt.Client(options.id or options.user, clean_session=not session,
                                transport="websockets" if options.websockets else "tcp")
        if options.websockets:
            self.mqtt.ws_set_options(options.websockets)
        if options.ca:
            try:
                self.mqtt.tls_set(options.ca)
            except OSError as error:
                sys.exit(f"{options.ca}: {error.strerror or error}")
        if will:
            topic, payload, qos, retain = (*will, 1, False)[:4]
            self.mqtt.will_set(topic, payload, qos, retain)
        self.mqtt.on_connect = self._connected
        self.mqtt.on_subscribe = self._subscribed
        self.mqtt.on_message = lambda _, __, m: on_message and on_message(self, m.topic, m.payload)

    def publish(self, topic, payload, qos=1, retain=False):
        """With QoS 1 and 2 also while offline: it goes out at the next connect. From run()'s thread."""
        message = self.mqtt.publish(topic, payload, qos, retain)
        if qos:
            if message.rc == mqtt.MQTT_ERR_NO_CONN:
                message.rc = mqtt.MQTT_ERR_SUCCESS  # it waits: not an error
            self.sent = [*self.open(), message]
        return message

    def open(self):
        """What the broker has not acknowledged yet."""
        return [message for message in self.sent if not message.is_published()]

    def end(self):
        """run() returns, once what was published has been handed over."""
        self.ending = True

    def run(self, tick=None, every=1.0):
        """Stays connected until end(), SIGINT or SIGTERM; `tick(client)` each `every` seconds while
        connected."""
        self.heed_signals()
        while not self.ending:
            self._attempt(tick, every)
            self.rest(self._next_pause())

    def visit(self):
        """For a device that sleeps: one attempt to connect, hand over what was published before, and
        disconnect. Returns how long to rest before the next attempt: 0 if it went well."""
        return 0 if self._attempt(leave=True) else self._next_pause()

    def rest(self, seconds):
        """Sleeps, unless it is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.ending:
            time.sleep(min(0.1, max(0, end - time.monotonic())))

    def heed_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.end())

    def _attempt(self, tick=None, every=1.0, leave=False):
        try:
            self.mqtt.username_pw_set(self.options.user, read_key(self.options.key_file))
        except (OSError, ValueError) as error:
            self._complain(f"no key in {self.options.key_file}: {getattr(error, 'strerror', None) or error}")
            return False
        try:
            self.mqtt.connect(self.options.host, self.options.port, KEEPALIVE)
        except (OSError, mqtt.WebsocketConnectionError) as error:
            self._complain(why(error))
            return False
        began = time.monotonic()
        try:
            left = self._stay(tick, every, leave)
        except OSError as error:  # paho-mqtt lets through what a write meets, such as TLS that ended
            if error.filename is not None:
                raise  # the program's own
            self._complain(f"the broker is away: {error.strerror or error}")
            left = False
        # Not if it comes and goes, as two do that have the same client id.
        if left or (self.online and time.monotonic() - began >= 2 * self.pause):
            self.pause = self.options.pause
        self.online = False
        return left

    def _stay(self, tick, every, leave):
        """True if this side left, with all handed over."""
        began = next_tick = time.monotonic()
        ending = None
        while True:
            code = self.mqtt.loop(timeout=min(every, 0.2))
            now = time.monotonic()
            if code == mqtt.MQTT_ERR_CONN_REFUSED:
                return False  # _connected() has said why
            if code != mqtt.MQTT_ERR_SUCCESS:
                self._complain(f"the broker is away: {mqtt.error_string(code).rstrip('.')}" if self.online else
                               HANGS_UP)
                return False
            if not self.online and (self.ending or now >= began + ANSWER):
                self._complain("the broker does not answer")
                return False
            if self.ending and ending is None:
                ending = now + HAND_OVER
            if self.online and (leave or self.ending):
                if not (self.open() or self.mqtt.want_write()) or now >= (ending or began + ANSWER):
                    break
            elif self.online and tick and now >= next_tick:
                next_tick = now + every
                tick(self)
        self.mqtt.disconnect()
        self.mqtt.loop(timeout=0.2)
        return not self.open()

    def _connected(self, _client, _userdata, _flags, code):
        if code:
            self._complain(f"refused: {REFUSALS.get(code, 'for a reason of its own')} (return code {code})")
            return
        self.asked = {self.mqtt.subscribe(topic, 1)[1]: topic for topic in self.topics}
        if not self.asked:
            self._ready()

    def _subscribed(self, _client, _userdata, mid, granted):
        topic = self.asked.pop(mid, None)
        if NOT_GRANTED in granted:
            say(f"refused: no rule lets {self.options.user} subscribe to {topic}")
        if not self.asked and not self.online:
            self._ready()

    def _ready(self):
        """What others publish from now on reaches us."""
        say("connected")
        self.online, self.said = True, None
        if self.on_online:
            self.on_online(self)

    def _complain(self, text):
        if text != self.said and not self.ending:
            say(text + ";", "trying again with growing pauses")
        self.said = text

    def _next_pause(self):
        """Between half of the pause and all of it, so that a thousand clients do not come at once."""
        pause = self.pause * random.uniform(0.5, 1)
        self.pause = min(self.pause * 2, self.options.pause_max)
        return pause


if __name__ == "__main__":
    sys.exit("patient.py is for the other programs here to import")
