#!/usr/bin/env bash
set -euo pipefail
# A key goes into a file that only we can read, and from there to its device.
umask 077
devreg init

# An account is an attribute. So one role serves the things of all accounts: each publishes its own
# feeds, and obeys its own switch.
devreg role add thing
devreg allow @thing publish   '%{account}/feeds/%{thing}/+'
devreg allow @thing subscribe '%{account}/feeds/%{thing}/switch'
# At most 30 messages a minute, 5 of them at once, of 100 bytes each.
devreg limit @thing messages=30 burst=5 payload=100

# And one serves the phones: they see all feeds of their account, and flip its switches.
devreg role add phone
devreg allow @phone subscribe '%{account}/feeds/#'
devreg allow @phone publish   '%{account}/feeds/+/switch'

# Each thing has a key of its own, so that none takes its account along when it is cut off.
devreg add anna.toaster --role thing --set account=anna --set thing=toaster >keys/anna.toaster
devreg add anna.car     --role thing --set account=anna --set thing=car     >keys/anna.car
devreg add anna.phone   --role phone --set account=anna                     >keys/anna.phone
devreg add bob.toaster  --role thing --set account=bob  --set thing=toaster >keys/bob.toaster
devreg add bob.phone    --role phone --set account=bob                      >keys/bob.phone
