#!/usr/bin/python3
"""A data processor: stores what sensors publish.

It loses nothing. The broker keeps its session while it is away (QoS 1, clean session off), a reading is
acknowledged when it is on the disk and not before, and what comes twice is stored once.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import patient  # noqa: E402
import store  # noqa: E402

ID_MAX = 64  # characters; databases limit what they index


class Processor:
    def __init__(self, options):
        self.options, self.store = options, store.open_store(options)

    def handle(self, client, topic, payload):
        """Returns when the reading is stored; paho sends its PUBACK after that."""
        _, sensor, reading = (topic.split("/", 2) + ["", ""])[:3]
        if not sensor or not reading or "/" in reading or len(reading) > ID_MAX:
            patient.say(f"not a reading: {ascii(topic[:80])}")
            return
        new = self.add_at_last(client, sensor, reading, payload)
        patient.say("stored" if new else "stored before:", sensor, ascii(reading), len(payload), "bytes")

    def add_at_last(self, client, *reading):
        pause, said = self.options.pause, None
        while True:
            try:
                return self.store.add(*reading)
            except store.Away as error:
                if str(error) != said:
                    patient.say(f"the database is away: {error}; trying again with growing pauses")
                said = str(error)
            end = time.monotonic() + pause
            pause = min(pause * 2, self.options.pause_max)
            while time.monotonic() < end:
                if client.ending:
                    sys.exit(1)  # not acknowledged: the broker hands it over again
                time.sleep(0.1)


def main():
    parser = patient.arguments("Stores readings.")
    store.arguments(parser)
    options = parser.parse_args()
    os.umask(0o077)
    processor = Processor(options)
    patient.Client(options, topics=["sensor_data/#"], on_message=processor.handle, session=True).run()
    processor.store.close()


if __name__ == "__main__":
    main()
