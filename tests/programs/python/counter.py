"""A counter in a row of a table: `counter.py write` counts up, `counter.py read` looks, on one connection, for ever.

Writes a line `START_US END_US VALUE` for each statement that succeeded, and `error NUMBER TEXT` for the one that did not,
which is the last. Times are CLOCK_MONOTONIC.
"""
import os
import sys
import time

import MySQLdb

options = {"read_default_file": os.environ["LAB_TLS_OPTIONS"]} if "LAB_TLS_OPTIONS" in os.environ else {}
connection = MySQLdb.connect(
    host=os.environ["LAB_HOST"],
    port=int(os.environ["LAB_PORT"]),
    user="app",
    passwd=os.environ["LAB_PASSWORD"],
    db="shop",
    autocommit=True,
    **options,
)
writes = sys.argv[1] == "write"
value = 0
while True:
    started = time.monotonic_ns() // 1000
    try:
        cursor = connection.cursor()
        if writes:
            value += 1
            cursor.execute("UPDATE counter SET value = %s", (value,))
        else:
            cursor.execute("SELECT value FROM counter")
            value = cursor.fetchone()[0]
        cursor.close()
    except MySQLdb.Error as error:
        print("error", *error.args, flush=True)
        break
    print(started, time.monotonic_ns() // 1000, value, flush=True)
    time.sleep(0.005)
