"""An application on strings: runs what it is told, one thread for each connection.

Reads lines `CONNECTION OPERATION ARGUMENT`, answers lines `CONNECTION ok VALUE` or `CONNECTION error NUMBER TEXT`.
It has no retry logic of its own.
"""
import os
import queue
import sys
import threading

import MySQLdb

out = threading.Lock()


def connect(account, port=None):
    user, password = account.split() if account != "-" else ("app", os.environ["LAB_PASSWORD"])
    options = dict(
        host=os.environ["LAB_HOST"],
        port=int(port or os.environ["LAB_PORT"]),
        user=user,
        passwd=password,
        db="shop",
        autocommit=True,
    )
    if "PUPPET_INIT_COMMAND" in os.environ:
        options["init_command"] = os.environ["PUPPET_INIT_COMMAND"]
    if "LAB_TLS_OPTIONS" in os.environ:
        options["read_default_file"] = os.environ["LAB_TLS_OPTIONS"]
    return MySQLdb.connect(**options)


streams = {}


def texts(rows):
    return tuple(tuple(v.decode() if isinstance(v, bytes) else v for v in row) for row in rows)


def run(connection, operation, argument):
    if operation == "query":
        connection.query(argument)
        result = connection.store_result()
        if result is None:
            return (connection.affected_rows(), connection.insert_id())
        return texts(result.fetch_row(0))
    if operation == "stream":
        connection.query(argument)
        result = connection.use_result()
        return len(result.fetch_row(0))
    if operation == "open_stream":
        connection.query(argument)
        streams[connection] = connection.use_result()
        return texts(streams[connection].fetch_row(1))
    if operation == "rest_of_stream":
        return texts(streams.pop(connection).fetch_row(0))
    if operation == "call":
        name, *arguments = argument.split()
        return getattr(connection, name)(*[int(a) if a.isdigit() else a for a in arguments])
    raise ValueError(operation)


def serve(name, orders):
    connection = None
    while True:
        operation, argument = orders.get()
        try:
            if operation == "connect":
                connection = connect(argument)
                value = "connected"
            elif operation == "connect_to_port":
                connection = connect("-", argument)
                value = "connected"
            else:
                value = run(connection, operation, argument)
            answer = "ok %r" % (value,)
        except MySQLdb.Error as error:
            answer = "error %s %s" % (error.args[0], error.args[1])
        with out:
            sys.stdout.write("%s %s\n" % (name, answer.replace("\n", " ")))
            sys.stdout.flush()


workers = {}
for line in sys.stdin:
    name, operation, argument = line.rstrip("\n").split(" ", 2)
    if name not in workers:
        workers[name] = queue.Queue()
        threading.Thread(target=serve, args=(name, workers[name]), daemon=True).start()
    workers[name].put((operation, argument))
