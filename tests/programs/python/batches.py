"""Writes batches of rows, each batch a transaction without autocommit, until the standard input ends.

It swallows every error and goes on with its next statement, as scripts do that were never meant to fail, and keeps to
what MySQL promises: after 1213 the transaction is gone, after a lost connection too, and every other error leaves the
transaction as it was, but for a COMMIT that failed.

Writes lines:
  batch NUMBER N N N …     COMMIT was acknowledged, and these rows were inserted since the transaction began
  failed NUMBER            COMMIT was refused, or the transaction is gone, for sure
  unknown NUMBER           the answer to COMMIT was lost
  error NUMBER TEXT        of any statement
"""
import os
import sys
import threading

import MySQLdb

LOST = (2006, 2013)
ROWS = int(os.environ["BATCH_ROWS"])
stop = threading.Event()


def tell(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def connect():
    options = {"read_default_file": os.environ["LAB_TLS_OPTIONS"]} if "LAB_TLS_OPTIONS" in os.environ else {}
    return MySQLdb.connect(
        host=os.environ["LAB_HOST"],
        port=int(os.environ["LAB_PORT"]),
        user="app",
        passwd=os.environ["LAB_PASSWORD"],
        db="shop",
        autocommit=False,
        **options,
    )


def run(connection, text):
    """0, or the number of the error."""
    try:
        connection.query(text)
        connection.store_result()
        return 0
    except MySQLdb.Error as error:
        tell("error", *error.args)
        return error.args[0] or -1


def batch(connection, number):
    inserted = []
    for row in range(ROWS):
        error = run(connection, "INSERT INTO t (v) VALUES ('%d-%d')" % (number, row))
        if error == 0:
            inserted.append(row)
        elif error == 1213:
            inserted = []
        elif error in LOST:
            tell("failed", number)
            return False
    error = run(connection, "COMMIT")
    if error == 0:
        tell("batch", number, *inserted)
    else:
        tell("unknown" if error in LOST else "failed", number)
    return error not in LOST


def work():
    connection = connect()
    number = 0
    while not stop.is_set():
        number += 1
        if not batch(connection, number):
            connection.close()
            connection = connect()


worker = threading.Thread(target=work)
worker.start()
sys.stdin.read()
stop.set()
worker.join()
