"""classroom.py - a MicroPython board that says and hears values, over TLS.

    board = Board("settings.json")
    board.say("light", 512)                  publishes {"value": 512} on class/<pupil>/light
    @board.on("led")                         calls the function with the value of class/<pupil>/led
    @board.every(2)                          calls the function each two seconds
    board.run()

A broker that is away, a wrong key and a certificate that is not trusted are three things: each is said in
one line, and again only when it changes. New attempts come after pauses that grow.

For MicroPython 1.23 or later with umqtt.robust:  mpremote mip install umqtt.robust
settings.json stands on the board beside this file: wifi, password, host, port, user, key, and ca, the file
of the authority's certificate in DER format.
"""

import json
import random
import time
from binascii import hexlify

import machine
import network
import tls
from umqtt import robust, simple

KEEPALIVE = 60
REFUSALS = {1: "this broker speaks another version of MQTT", 2: "this client id is not let in",
            3: "the broker is not ready", 4: "the name or the key is wrong", 5: "the name or the key is wrong"}
CERT_VERIFY_FAILED = -0x2700  # of mbedTLS
HUNG_UP = (OSError, ValueError, IndexError, TypeError, AssertionError)  # umqtt: half an answer is one of the last


def why(error):
    """Says of an exception of umqtt what went wrong, for a person."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if isinstance(error, simple.MQTTException):
        return "refused: %s (return code %d)" % (REFUSALS.get(code, "for a reason of its own"), code)
    if code == CERT_VERIFY_FAILED:
        return "the broker's certificate is not trusted"
    if isinstance(error, ValueError):  # so MicroPython tells what is wrong with a certificate
        return "the broker's certificate is not trusted: " + ", ".join(str(error).strip().split("\n"))
    if code <= -0x1000:
        return "no TLS with this broker (%d)" % code
    return "the broker is away"


class Pauses:
    """Each is twice as long as the one before, up to a limit, and drawn between its half and all of it: a
    whole class does not come in one instant."""

    def __init__(self, first, last):
        self.first, self.last, self.pause = first, last, first

    def reset(self):
        self.pause = self.first

    def rest(self):
        time.sleep_ms(int(1000 * self.pause * (0.5 + random.random() / 2)))
        self.pause = min(2 * self.pause, self.last)


class Link(robust.MQTTClient):
    """umqtt.robust tries again each two seconds, says nothing, and takes a wrong key for the program's end.
    This one says what is wrong and rests longer each time, and subscribes anew."""

    def __init__(self, *args, pauses, **options):
        super().__init__(*args, **options)
        self.pauses, self.topics, self.said, self.joining = pauses, [], None, False
        self.on_online = None

    def reconnect(self):
        while True:
            self.joining = True
            try:
                self.connect(True)
                for topic in self.topics:
                    self.subscribe_or_say(topic)
                self.on_online(self)
                break
            except (simple.MQTTException,) + HUNG_UP as error:
                self.complain(why(error))
                self.close()
            finally:
                self.joining = False
            self.pauses.rest()
        print("connected")
        self.said = None

    def subscribe_or_say(self, topic):
        try:
            self.subscribe(topic)
        except simple.MQTTException:
            print("no rule allows to subscribe", topic.decode())

    # While it joins, what fails is reconnect()'s to see: robust would begin to join a second time.
    def wait_msg(self):
        return (simple.MQTTClient if self.joining else robust.MQTTClient).wait_msg(self)

    def publish(self, topic, msg, retain=False, qos=0):
        return (simple.MQTTClient if self.joining else robust.MQTTClient).publish(self, topic, msg, retain, qos)

    def complain(self, text):
        if text != self.said:
            print(text + "; trying again with growing pauses")
        self.said = text

    def close(self):
        try:
            self.sock.close()
        except (OSError, AttributeError):  # there was none yet
            pass


class Board:
    def __init__(self, path):
        with open(path) as file:
            self.settings = settings = json.load(file)
        self.prefix = "class/%s/" % settings["user"]
        self.pauses = Pauses(settings.get("pause", 1), settings.get("pause_max", 60))
        self.heard, self.jobs = {}, []
        with open(settings["ca"], "rb") as file:
            authority = file.read()
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = tls.CERT_REQUIRED
        context.load_verify_locations(authority)
        self.link = Link(hexlify(machine.unique_id()), settings["host"], settings["port"], settings["user"],
                         settings["key"], KEEPALIVE, ssl=context, pauses=self.pauses)
        self.link.set_callback(self.hear)
        self.link.on_online = lambda link: self.say("board", "online", True)
        self.link.set_last_will(self.prefix + "board", json.dumps({"value": "offline"}), retain=True)

    def say(self, name, value, retain=False):
        self.link.publish(self.prefix + name, json.dumps({"value": value}), retain)

    def on(self, name):
        def keep(function):
            self.heard[name] = function
            self.link.topics.append((self.prefix + name).encode())
            return function
        return keep

    def every(self, seconds):
        def keep(function):
            self.jobs.append([time.ticks_ms(), int(seconds * 1000), function])
            return function
        return keep

    def hear(self, topic, message):
        name = topic.decode()[len(self.prefix):]
        try:
            value = json.loads(message)["value"]
        except (ValueError, KeyError, TypeError, IndexError):
            print("heard on", name, "what is not of the form", json.dumps({"value": 1}))
            return
        self.heard[name](value)

    def join_wifi(self):
        wlan = network.WLAN(network.STA_IF)
        wlan.active(True)
        while not wlan.isconnected():
            wlan.connect(self.settings["wifi"], self.settings["password"])
            end = time.ticks_add(time.ticks_ms(), 15000)
            while not wlan.isconnected() and time.ticks_diff(end, time.ticks_ms()) > 0:
                time.sleep_ms(100)
            if not wlan.isconnected():
                self.link.complain("no Wi-Fi")
                self.pauses.rest()
        self.pauses.reset()
        try:
            import ntptime  # a certificate has its time, and a board has none after a power cut
            ntptime.settime()
        except (ImportError, OSError):
            print("the time is not known; a certificate may look as if it were not yet valid")

    def run(self):
        self.join_wifi()
        self.link.reconnect()
        steady, pinged = time.ticks_ms(), time.ticks_ms()
        while True:
            try:
                self.link.check_msg()
                now = time.ticks_ms()
                if time.ticks_diff(now, steady) > 10000:
                    self.pauses.reset()
                if time.ticks_diff(now, pinged) > KEEPALIVE * 500:
                    pinged = now
                    self.link.ping()
                for job in self.jobs:
                    if time.ticks_diff(now, job[0]) >= 0:
                        job[0] = time.ticks_add(now, job[1])
                        job[2]()
            except HUNG_UP:
                self.link.close()
                self.link.reconnect()
                steady = time.ticks_ms()
            time.sleep_ms(20)
