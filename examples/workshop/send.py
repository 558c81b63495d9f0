#!/usr/bin/python3
"""Publishes TOPIC=PAYLOAD ... and ends when the broker has them."""

import os
import sys

sys.path.append(os.path.join(sys.path[0], "..", "lib"))
import patient  # noqa: E402


def main():
    parser = patient.arguments(__doc__)
    parser.add_argument("--qos", type=int, choices=(0, 1, 2), default=1)
    parser.add_argument("--retain", action="store_true", help="the broker keeps the latest of each topic")
    parser.add_argument("messages", nargs="+", metavar="TOPIC=PAYLOAD")
    options = parser.parse_args()

    def send(client):
        for message in options.messages:
            topic, _, payload = message.partition("=")
            client.publish(topic, payload, options.qos, options.retain)
        client.end()

    patient.Client(options, on_online=send).run()


main()
