#!/bin/sh
# Two devices and one topic, which both say and both hear. Run it where keys/ is for the keys.
set -eu
umask 077
devreg init

# What is allowed, once for both. A message is "on" or "off" and nothing else.
devreg role add living-room
devreg allow @living-room all living_room_lights
devreg limit @living-room payload=3 messages=120 burst=20

# The light controller, and the phone: a key each. One that is lost is revoked alone.
devreg add light --role living-room > keys/light
devreg add phone --role living-room > keys/phone

# The phone may see whether the light is there.
devreg allow phone subscribe devreg/presence/light
