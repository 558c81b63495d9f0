#!/usr/bin/python3
"""A sensor: publishes readings on sensor_data/<id>/<time in ms>, and measures as config_change says.

The time names the reading: whoever gets it twice, as QoS 1 allows, can tell. What is set for this sensor
alone, on config_change/<id>, goes before what is set for all, whichever comes first.
"""

import base64
import json
import math
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import patient  # noqa: E402

SAMPLING = 0.05, 3600  # s
SENSITIVITY = 1, 1000
FORMATS = {
    "json": lambda value, sensitivity: json.dumps({"value": value, "sensitivity": sensitivity}).encode(),
    "xml": lambda value, sensitivity: f'<reading sensitivity="{sensitivity}">{value}</reading>'.encode(),
    "binary": lambda value, sensitivity: struct.pack(">Hd", sensitivity, value),
    "base64": lambda value, sensitivity: base64.b64encode(struct.pack(">Hd", sensitivity, value)),
}


def parse_config(payload):
    """What a config_change says. ValueError says what is wrong with it."""
    if not payload:
        return {}
    config = json.loads(payload)
    if not isinstance(config, dict):
        raise ValueError("not a JSON object")
    for name, (low, high), types in (("sampling", SAMPLING, (int, float)), ("sensitivity", SENSITIVITY, int)):
        value = config.get(name, low)
        if isinstance(value, bool) or not isinstance(value, types) or not low <= value <= high:
            raise ValueError(f"{name} has to be a number from {low} to {high}")
    return {name: config[name] for name in ("sampling", "sensitivity") if name in config}


class Sensor:
    def __init__(self, options):
        self.options = options
        self.topics = ["config_change", f"config_change/{options.user}"]
        self.said = {}  # by topic
        self.config = self.default = {"sampling": options.sampling, "sensitivity": SENSITIVITY[0]}
        self.due = self.last = 0
        self.waiting = {}  # by message id: the readings that the broker has not acknowledged

    def told(self, _client, topic, payload):
        try:
            self.said[topic] = parse_config(payload)
        except (ValueError, RecursionError) as error:
            patient.say(f"{topic} is not followed: {error}")
            return
        self.config = dict(self.default)
        for each in self.topics:
            self.config.update(self.said.get(each, {}))
        patient.say("sampling {sampling} s, sensitivity {sensitivity}".format(**self.config))

    def measure(self, client):
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + self.config["sampling"]
        self.last = max(time.time_ns() // 1000000, self.last + 1)
        sensitivity = self.config["sensitivity"]
        value = round(20 + sensitivity * math.sin(self.last / 1000), 3)
        topic = f"sensor_data/{self.options.user}/{self.last}"
        info = client.publish(topic, FORMATS[self.options.format](value, sensitivity))
        self.waiting[info.mid] = self.last

    def acknowledged(self, _mqtt, _userdata, mid):
        patient.say("acknowledged", self.waiting.pop(mid))


def main():
    parser = patient.arguments("A sensor that publishes readings.")
    parser.add_argument("--format", choices=FORMATS, default="json")
    parser.add_argument("--sampling", type=float, default=1, help="s, until config_change says another")
    options = parser.parse_args()
    sensor = Sensor(options)
    client = patient.Client(options, topics=sensor.topics, on_message=sensor.told)
    client.mqtt.on_publish = sensor.acknowledged
    client.run(sensor.measure, every=SAMPLING[0])


if __name__ == "__main__":
    main()
