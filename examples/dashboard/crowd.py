"""crowd.py - a crowd of devices that connect as fast as they can, to see a dashboard under load.

    crowd.py --port 1883 --keys keys/meters.csv --stay 8000

Each logs in with its own key. Then all but --stay of them leave. The others stay until the program ends.
"""

import argparse
import asyncio
import csv
import random
import signal

AT_ONCE = 200


def text(word):
    data = word.encode()
    return len(data).to_bytes(2, "big") + data


def connect_packet(user, key):
    """MQTT 3.1.1: clean session, user name and password, no keepalive."""
    body = text("MQTT") + bytes([4, 0b11000010, 0, 0]) + text(user) + text(user) + text(key)
    assert len(body) < 16384
    length = [len(body)] if len(body) < 128 else [len(body) % 128 | 128, len(body) // 128]
    return bytes([0x10, *length]) + body


async def come(options, gate, user, key):
    async with gate:
        reader, writer = await asyncio.open_connection(options.host, options.port)
        writer.write(connect_packet(user, key))
        answer = await reader.readexactly(4)
        if answer[3] != 0:
            raise SystemExit(f"{user} is refused: return code {answer[3]}")
        return writer


async def leave(gate, writer):
    async with gate:
        writer.write(b"\xe0\x00")
        await writer.drain()
        writer.close()


async def main():
    parser = argparse.ArgumentParser(description="A crowd of devices.")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--keys", required=True, help="the file that devreg add --keys wrote")
    parser.add_argument("--stay", type=int, default=0, help="how many stay connected")
    options = parser.parse_args()
    with open(options.keys, encoding="utf-8", newline="") as file:
        devices = [(row["device"], row["key"]) for row in csv.DictReader(file)]
    gate, stop = asyncio.Semaphore(AT_ONCE), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    # In groups, for a process may not have as many open files as there are devices.
    here, going = [], len(devices) - options.stay
    for start in range(0, len(devices), AT_ONCE):
        group = devices[start:start + AT_ONCE]
        writers = await asyncio.gather(*(come(options, gate, *device) for device in group))
        # Those who leave are spread over the whole list.
        leaving = going * (start + len(group)) // len(devices) - going * start // len(devices)
        random.shuffle(writers)
        await asyncio.gather(*(leave(gate, writer) for writer in writers[:leaving]))
        here += writers[leaving:]
        if (start + len(group)) % 1000 == 0:
            print(f"{start + len(group)} were here, {len(here)} are", flush=True)
    await stop.wait()


asyncio.run(main())
