#!/usr/bin/env bash
set -euo pipefail
# A key goes into a file that only we can read, and from there to its device.
umask 077
devreg init

# People chat, each on a topic of their own, so that nobody speaks in another's name. They ring the bell.
devreg role add person
devreg allow @person publish   workshop/chat/%u
devreg allow @person subscribe workshop/chat/+
devreg allow @person publish   workshop/bell
devreg add ada   --role person >keys/ada
devreg add boris --role person >keys/boris
devreg add carla --role person >keys/carla

# The bell only listens.
devreg add bell --no-role >keys/bell
devreg allow bell subscribe workshop/bell

# The wind turbine's readings, and the topic of its last will.
devreg add turbine --no-role >keys/turbine
devreg allow turbine publish workshop/turbine/+

# The farm robot obeys its controller.
devreg add robot --no-role >keys/robot
devreg allow robot subscribe farm/robot/command
devreg allow robot publish   farm/robot/done
devreg add controller --no-role >keys/controller
devreg allow controller publish   farm/robot/command
devreg allow controller subscribe farm/robot/done

# Two sensors, one of which begins its topic with a slash.
devreg add thermometer --no-role >keys/thermometer
devreg allow thermometer publish 'house/+/temp_sensors/+'
devreg allow thermometer publish '/home/sensors/+'

# The board on the wall shows everything. A # never reaches what begins with $: that takes a rule of its own.
devreg add board --no-role >keys/board
devreg allow board subscribe '#'
devreg allow board subscribe '$SYS/broker/version'
