"""greenhouse.py - a device for the dashboard: it publishes three numbers, and two things that can be switched.

    greenhouse.py --user greenhouse --key-file keys/greenhouse

devices/ID/temperature, humidity and light are numbers, devices/ID/fan and lamp are on or off, retained for
whoever comes later. devices/ID/cmd/fan with on or off switches the fan.
"""

import math
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import patient

state = {"fan": "off", "lamp": "on"}


def publish(client, feed, value):
    client.publish(f"devices/{client.options.user}/{feed}", value, qos=0, retain=True)


def tell(client, topic, payload):
    """A command: what is switched is what is then published, so that every screen shows the same."""
    thing, word = topic.rsplit("/", 1)[1], payload.decode("ascii", "replace")
    if thing in state and word in ("on", "off"):
        state[thing] = word
        patient.say(f"{thing} is {word}")
        publish(client, thing, word)


def hello(client):
    for thing, word in state.items():
        publish(client, thing, word)


def measure(client):
    now = time.monotonic()
    publish(client, "temperature", f"{21 + 4 * math.sin(now / 7) + (3 if state['lamp'] == 'on' else 0):.1f}")
    publish(client, "humidity", f"{58 + 9 * math.sin(now / 5 + 1) - (12 if state['fan'] == 'on' else 0):.0f}")
    publish(client, "light", f"{512 + 380 * math.sin(now / 4) + 60 * math.sin(now * 2):.0f}")


def main():
    parser = patient.arguments("A greenhouse: three numbers, a fan and a lamp.")
    parser.add_argument("--every", type=float, default=1, help="s between two measurements")
    options = parser.parse_args()
    client = patient.Client(options, topics=[f"devices/{options.user}/cmd/+"], on_message=tell, on_online=hello)
    client.run(tick=measure, every=options.every)


if __name__ == "__main__":
    main()
