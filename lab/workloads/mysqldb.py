"""Naive application code on mysqlclient (MySQLdb): one connection per thread, no retry, no reconnect.

Autocommit is off, the driver's default, and every insert is committed; LAB_AUTOCOMMIT=1 switches it on.
Writes one record per attempted statement to standard output; stops when standard input ends.
"""
import os
import sys
import threading
import time

import MySQLdb

AUTOCOMMIT = os.environ.get("LAB_AUTOCOMMIT") == "1"
READ_EVERY = int(os.environ["LAB_READ_EVERY"])
# Only reads, of row 0 of worker 0: for readers.
READS_ONLY = "LAB_READS_ONLY" in os.environ
PAUSE = float(os.environ["LAB_PAUSE_MS"]) / 1000
stop = threading.Event()
# Every worker's last acknowledged row. Each reads its neighbour's: all connections mean one server, so what one was told
# is stored, the other must find.
written = {}


def now_us():
    return time.monotonic_ns() // 1000


def record(worker, seq, kind, started, outcome, errno=0, message=""):
    # One write call per record, so that records of several threads never mix.
    message = " ".join(str(message).split())
    os.write(1, f"{worker},{seq},{kind},{started},{now_us()},{outcome},{errno},{message}\n".encode())


def connect():
    options = {}
    if "LAB_SSL_CA" in os.environ:
        # The driver's `ssl` option alone does not make libmariadb verify the server's name; its option file does.
        options["ssl"] = {"ca": os.environ["LAB_SSL_CA"]}
        options["read_default_file"] = os.environ["LAB_TLS_OPTIONS"]
    return MySQLdb.connect(
        host=os.environ["LAB_HOST"],
        port=int(os.environ["LAB_PORT"]),
        user=os.environ["LAB_USER"],
        passwd=os.environ["LAB_PASSWORD"],
        db=os.environ["LAB_DATABASE"],
        autocommit=AUTOCOMMIT,
        **options,
    )


def attempt(worker, seq, kind, action, on_error=None):
    started = now_us()
    try:
        outcome = action()
    except MySQLdb.Error as error:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        record(worker, seq, kind, started, "error", number, error.args[-1] if error.args else error)
        if on_error:
            try:
                on_error()
            except MySQLdb.Error:
                pass  # The rollback fails with the connection; the next statement tells.
        return False
    record(worker, seq, kind, started, outcome)
    return outcome == "ok"


def insert(connection, worker, seq):
    cursor = connection.cursor()
    cursor.execute("INSERT INTO orders (worker, seq, note) VALUES (%s, %s, 'mysqldb')", (worker, seq))
    cursor.close()
    if not AUTOCOMMIT:
        connection.commit()
    return "ok"


def select(connection, worker, seq):
    cursor = connection.cursor()
    cursor.execute("SELECT seq FROM orders WHERE worker = %s AND seq = %s", (worker, seq))
    found = cursor.fetchall()
    cursor.close()
    if not AUTOCOMMIT:
        connection.commit()
    return "ok" if found else "stale"


def work(worker, neighbour):
    opened = []
    while not stop.is_set() and not attempt(worker, 0, "connect", lambda: opened.append(connect()) or "ok"):
        stop.wait(0.05)
    seq = 0
    while not stop.is_set():
        seq += 1
        connection = opened[0]
        if READS_ONLY:
            attempt(worker, 0, "select", lambda: select(connection, 0, 0), connection.rollback)
            stop.wait(PAUSE)
            continue
        if attempt(worker, seq, "insert", lambda: insert(connection, worker, seq), connection.rollback):
            written[worker] = seq
        last = written.get(neighbour)
        if last and seq % READ_EVERY == 0:
            attempt(worker, last, "select", lambda: select(connection, neighbour, last), connection.rollback)
        stop.wait(PAUSE)


first, count = int(os.environ["LAB_FIRST_WORKER"]), int(os.environ["LAB_THREADS"])
threads = [threading.Thread(target=work, args=(first + i, first + (i + 1) % count)) for i in range(count)]
for thread in threads:
    thread.start()
sys.stdin.buffer.read()
stop.set()
for thread in threads:
    thread.join()
