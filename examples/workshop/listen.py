#!/usr/bin/python3
"""Shows what is published on topics that match FILTER ..."""

import os
import sys

sys.path.append(os.path.join(sys.path[0], "..", "lib"))
import patient  # noqa: E402


def show(_client, topic, payload):
    text = payload.decode(errors="replace")
    patient.say(topic, text if text.isprintable() else ascii(text))


def main():
    parser = patient.arguments(__doc__)
    parser.add_argument("filters", nargs="+", metavar="FILTER")
    options = parser.parse_args()
    patient.Client(options, options.filters, show).run()


main()
