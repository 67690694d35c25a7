"""An application on strings: runs what it is told, one thread for each connection, or with PUPPET_FORKS one forked process.

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
    if "PUPPET_CONNECT_TIMEOUT" in os.environ:
        options["connect_timeout"] = int(os.environ["PUPPET_CONNECT_TIMEOUT"])
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
    for operation, argument in orders:
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


class Thread:
    def __init__(self, name):
        self.orders = queue.Queue()
        threading.Thread(target=serve, args=(name, iter(self.orders.get, None)), daemon=True).start()

    def send(self, operation, argument):
        self.orders.put((operation, argument))


class Fork:
    """A worker of a server that forks its workers before they connect."""

    def __init__(self, name):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(writing)
            for other in workers.values():
                other.orders.close()
            with os.fdopen(reading) as lines:
                serve(name, (line.rstrip("\n").split(" ", 1) for line in lines))
            os._exit(0)
        os.close(reading)
        self.orders = os.fdopen(writing, "w", buffering=1)

    def send(self, operation, argument):
        self.orders.write("%s %s\n" % (operation, argument))


workers = {}
for line in sys.stdin:
    name, operation, argument = line.rstrip("\n").split(" ", 2)
    if name not in workers:
        workers[name] = Fork(name) if "PUPPET_FORKS" in os.environ else Thread(name)
    workers[name].send(operation, argument)
