#!/usr/bin/env bash
set -euo pipefail
umask 077

devreg init

# What a pump may do: tell its state, and not shout.
devreg role add pump
devreg allow @pump publish 'fleet/%u/state'
devreg limit @pump messages=60 burst=20 payload=1024 retain=no

# All of the spreadsheet, or nothing. The keys go to a file that only you can read: it is for the tool
# that writes the firmware.
devreg add --from pumps.csv --role pump --dry-run
devreg add --from pumps.csv --role pump --keys keys/pumps.csv

# An office sees who is there at its own site, and the operations room how many are there at all.
devreg role add office
devreg allow @office subscribe 'devreg/presence/%{site}/+'
devreg add kiel-office --role office --set site=kiel >keys/kiel-office
devreg add hamburg-office --role office --set site=hamburg >keys/hamburg-office
devreg add operations --no-role >keys/operations
devreg allow operations subscribe devreg/summary
