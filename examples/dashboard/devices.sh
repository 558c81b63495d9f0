#!/usr/bin/env bash
# What the page may do is by rules, as for any device.
set -euo pipefail
umask 077

devreg init

# It sees who is there and what they publish, and tells devices to switch things.
devreg role add dashboard
devreg allow @dashboard subscribe 'devreg/presence/#'
devreg allow @dashboard subscribe devreg/summary
devreg allow @dashboard subscribe 'devreg/event/#'
devreg allow @dashboard subscribe 'devices/+/+'
devreg allow @dashboard publish 'devices/+/cmd/+'

# But nobody switches the boiler from a web page.
devreg deny @dashboard publish 'devices/boiler/#'

# Somebody who looks at the page, and things in a garden. Keys go into files, not onto the screen.
devreg add anna --role dashboard --note 'opens the page' >keys/anna
devreg add greenhouse --set site=garden >keys/greenhouse
devreg add boiler --set site=cellar >keys/boiler

# And a fleet of ten thousand meters.
devreg add --count 10000 --prefix meter- --set site=town --keys keys/meters.csv
