#!/bin/sh
# A class: one role for all, a key for each. Run it where keys/ is for the keys, beside pupils.csv.
set -eu
umask 077
devreg init

# Each pupil has everything below class/<their name>/ and nothing else. A program that runs wild is slowed
# down, and takes nobody else with it.
devreg role add pupil
devreg allow @pupil all 'class/%u/#'
devreg limit @pupil messages=600 burst=60 payload=512 connections=4

# The class list: a spreadsheet in, a spreadsheet with the keys out.
devreg add --from pupils.csv --role pupil --keys keys/keys.csv

# The teacher sees everybody, and who is there.
devreg role add teacher
devreg allow @teacher subscribe 'class/#'
devreg allow @teacher subscribe 'devreg/presence/#'
devreg add teacher --role teacher > keys/teacher
