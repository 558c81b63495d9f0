#!/usr/bin/python3
"""A phone: shows all feeds of an account, a photocell as a gauge; or flips a switch and ends."""

import json
import os
import sys

sys.path.append(os.path.join(sys.path[0], "..", "lib"))
import patient  # noqa: E402

FULL, WIDTH = 1024, 16


def gauge(text):
    value = min(max(int(text), 0), FULL)
    return f"[{'#' * (value * WIDTH // FULL):{WIDTH}}] {value}"


def show(_client, topic, payload):
    if topic.startswith("devreg/errors/"):
        error = json.loads(payload)
        patient.say(f"told: {error['kind']} on {error['topic']}")
        return
    account, _, thing, feed = topic.split("/", 3)
    text = payload.decode(errors="replace")
    if feed == "photocell" and text.isdigit():
        text = gauge(text)
    patient.say(f"{account}'s {thing}: {feed} {text if text.isprintable() else ascii(text)}")


def main():
    parser = patient.arguments(__doc__)
    parser.add_argument("--account", help="whose feeds; the user's own if left out")
    parser.add_argument("--switch", metavar="THING=on|off", help="flip this and end")
    options = parser.parse_args()
    feeds = (options.account or options.user.split(".", 1)[0]) + "/feeds"
    if not options.switch:
        patient.Client(options, [feeds + "/#", "devreg/errors/" + options.user], show).run()
        return
    thing, _, state = options.switch.partition("=")
    options.id = options.id or options.user + "-switch"  # beside the one that shows
    client = patient.Client(options, on_online=lambda client: client.end())
    client.publish(f"{feeds}/{thing}/switch", state, retain=True)
    client.run()


main()
