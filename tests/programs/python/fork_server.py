"""A WSGI application that is loaded before the fork (gunicorn --preload): its master holds a connection and writes over
it all the time, and each worker opens one of its own. A request ?seq=N writes one row."""
import os
import threading
import time
from urllib.parse import parse_qs

import MySQLdb

loaded_by = os.getpid()
own = None


def open_connection():
    return MySQLdb.connect(
        host=os.environ["LAB_HOST"],
        port=int(os.environ["LAB_PORT"]),
        user="app",
        passwd=os.environ["LAB_PASSWORD"],
        db="shop",
        autocommit=True,
    )


def write(connection, worker, seq):
    try:
        connection.query("INSERT INTO orders (worker, seq, note) VALUES (%d, %d, '%d')" % (worker, seq, os.getpid()))
        connection.store_result()
    except MySQLdb.Error as error:
        with open(os.environ["LAB_COMPLAINTS"], "a") as file:
            file.write("%d: %r\n" % (os.getpid(), error))
        raise


def beat():
    number = 0
    while True:
        number += 1
        write(master, -2, number)
        time.sleep(0.05)


master = open_connection()
threading.Thread(target=beat, daemon=True).start()


def application(environ, start_response):
    global own
    assert os.getpid() != loaded_by, "this server does not fork"
    if own is None:
        own = open_connection()
    write(own, 1, int(parse_qs(environ["QUERY_STRING"])["seq"][0]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"stored by %d\n" % os.getpid()]
