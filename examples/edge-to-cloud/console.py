#!/usr/bin/python3
"""The admin console: sets how sensors measure, or watches who is there and who is refused.

    console.py --user console --key-file FILE set --sampling 0.5 --sensitivity 3 [--sensor sensor-1]
    console.py --user console --key-file FILE watch

What is set is retained, so that a sensor that comes later is told, too.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import patient  # noqa: E402
import sensor  # noqa: E402


def show(_client, topic, payload):
    """A line for each message of devreg: presence, and events such as denials."""
    if not payload:
        return  # a presence that was cleared
    try:
        news = json.loads(payload)
        if topic.startswith("devreg/presence/"):
            patient.say(news["device"], news["state"])
        elif news["kind"] not in ("connect", "disconnect"):
            details = [str(news[name]) for name in ("access", "topic", "reason") if name in news]
            patient.say(news["device"], news["kind"], *details)
    except (ValueError, TypeError, KeyError):
        patient.say("not understood:", ascii(topic))


def watch(options):
    options.id = options.id or options.user + "-watch"  # beside the same console's `set`
    patient.Client(options, topics=["devreg/presence/#", "devreg/event/#"], on_message=show).run()


def set_config(options):
    payload = json.dumps({"sampling": options.sampling, "sensitivity": options.sensitivity})
    try:
        sensor.parse_config(payload)
    except ValueError as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    topic = "config_change" + (f"/{options.sensor}" if options.sensor else "")

    def publish(client):
        client.publish(topic, payload, retain=True)

    client = patient.Client(options, on_online=publish)
    client.mqtt.on_publish = lambda *_: client.end()
    client.run()
    patient.say(topic, payload)


def main():
    parser = patient.arguments("The admin console.")
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("watch")
    verb.set_defaults(run=watch)
    verb = verbs.add_parser("set")
    verb.set_defaults(run=set_config)
    verb.add_argument("--sampling", type=float, required=True, help="s from a reading to the next")
    verb.add_argument("--sensitivity", type=int, required=True)
    verb.add_argument("--sensor", help="only this one")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
