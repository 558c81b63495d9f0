#!/usr/bin/python3
"""Where readings are kept: SQLite, or PostgreSQL. As a program it shows them.

A reading is what a sensor calls one: added twice, it is there once. The payload is bytes, and nobody
here looks into it. Values reach the database as parameters, never as a part of the SQL.
"""

import argparse
import os
import sqlite3
import sys
import time


class Away(Exception):
    """The database cannot be reached, or cannot write now."""


class Store:
    """`add` returns True if the reading is new, and it is on the disk when it returns."""

    def __init__(self):
        self.database = None

    def add(self, sensor, reading, payload):
        sql = ("INSERT INTO reading (sensor, id, received, payload) VALUES (?, ?, ?, ?)"
               " ON CONFLICT (sensor, id) DO NOTHING")
        return self._run(sql, (sensor, reading, time.time_ns() // 1000000, payload)).rowcount == 1

    def readings(self, sensor=None, reading=None):
        """(sensor, id, received in ms, payload) of all, of a sensor, or of one reading."""
        sql, values = "SELECT sensor, id, received, payload FROM reading", []
        for column, value in (("sensor", sensor), ("id", reading)):
            if value is not None:
                sql += (" AND " if values else " WHERE ") + column + " = ?"
                values.append(value)
        for row in self._run(sql + " ORDER BY received, sensor, id", values):
            yield *row[:3], bytes(row[3])

    def close(self):
        if self.database:
            self.database.close()
        self.database = None

    def _run(self, sql, values):
        try:
            if not self.database:
                self.database = self._open()
            with self.database:  # a transaction
                return self._execute(sql, values)
        except self.errors as error:
            self.close()
            raise Away(str(error).strip().split("\n", 1)[0]) from error


class SQLite(Store):
    errors = (sqlite3.Error,)

    def __init__(self, path):
        super().__init__()
        self.path = path

    def _open(self):
        database = sqlite3.connect(self.path, timeout=2)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")  # a power cut takes nothing that was acknowledged
        database.execute("CREATE TABLE IF NOT EXISTS reading (sensor TEXT NOT NULL, id TEXT NOT NULL,"
                         " received INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (sensor, id))")
        return database

    def _execute(self, sql, values):
        return self.database.execute(sql, values)


class PostgreSQL(Store):
    """`where` is a connection string such as "host=/run/postgresql dbname=edge", without a password: that
    belongs into ~/.pgpass."""

    def __init__(self, where):
        super().__init__()
        import psycopg2  # Debian: python3-psycopg2
        import psycopg2.extensions
        if "password" in psycopg2.extensions.parse_dsn(where):
            raise ValueError("a password belongs into ~/.pgpass: everybody can read a command line")
        self.psycopg2, self.where, self.errors = psycopg2, where, (psycopg2.Error,)

    def _open(self):
        database = self.psycopg2.connect(self.where, connect_timeout=5)
        with database, database.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS reading (sensor TEXT NOT NULL, id TEXT NOT NULL,"
                           " received BIGINT NOT NULL, payload BYTEA NOT NULL, PRIMARY KEY (sensor, id))")
        return database

    def _execute(self, sql, values):
        cursor = self.database.cursor()
        cursor.execute(sql.replace("?", "%s"), values)
        return cursor


def arguments(parser):
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--database", metavar="FILE", help="SQLite")
    where.add_argument("--postgresql", metavar="WHERE", help="as host=/run/postgresql dbname=edge")


def open_store(options):
    try:
        return SQLite(options.database) if options.database else PostgreSQL(options.postgresql)
    except Exception as error:
        sys.exit(f"{sys.argv[0]}: {error}")


def printable(payload):
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and text:
        return text if len(text) <= 60 else text[:57] + "..."
    return f"{len(payload)} bytes: {payload[:16].hex(' ')}{' ...' if len(payload) > 16 else ''}"


def main():
    parser = argparse.ArgumentParser(description="Shows stored readings: when, from whom, which, what.")
    arguments(parser)
    parser.add_argument("--sensor")
    parser.add_argument("--id", help="one reading")
    parser.add_argument("--raw", action="store_true", help="the payloads alone, as they came")
    options = parser.parse_args()
    if options.database and not os.path.exists(options.database):
        sys.exit(f"{sys.argv[0]}: there is no {options.database}")
    try:
        for sensor, reading, received, payload in open_store(options).readings(options.sensor, options.id):
            if options.raw:
                sys.stdout.buffer.write(payload)
                continue
            moment = time.strftime("%H:%M:%S", time.gmtime(received / 1000))
            print(f"{moment}  {sensor}  {reading}  {printable(payload)}")
    except Away as error:
        sys.exit(f"{sys.argv[0]}: the database is away: {error}")


if __name__ == "__main__":
    main()
