#!/usr/bin/env bash
set -euo pipefail
umask 077

devreg init

# A sensor publishes readings under its own id, and hears how it shall measure.
devreg role add sensor
devreg allow @sensor publish 'sensor_data/%u/+'
devreg allow @sensor subscribe config_change
devreg allow @sensor subscribe 'config_change/%u'
devreg limit @sensor payload=65536 retain=no

# A processor reads all readings. It publishes nothing.
devreg role add processor
devreg allow @processor subscribe 'sensor_data/#'

# The admin console says how to measure, to all sensors or to one, and sees who is there and who is refused.
devreg role add console
devreg allow @console publish config_change
devreg allow @console publish 'config_change/+'
devreg allow @console subscribe 'devreg/presence/#'
devreg allow @console subscribe 'devreg/event/#'

for n in 1 2 3 4; do devreg add sensor-$n --role sensor >keys/sensor-$n; done
for n in 1 2; do devreg add processor-$n --role processor >keys/processor-$n; done
devreg add console --role console >keys/console

# A lamp and its switch share the broker with them, and nothing else.
devreg add lamp --no-role >keys/lamp
devreg allow lamp subscribe home/office/lamp
devreg add switch --no-role >keys/switch
devreg allow switch publish home/office/lamp
