"""client.c with MySQLdb: connect, query, autocommit, commit, rollback, id and close, one answer a line. Autocommit is
on at first, as in the others."""

import signal
import sys

import MySQLdb
from MySQLdb import _mysql


def connect(rest):
    host, port, _socket, user, password, database = (None if word == "-" else word for word in rest.split(" "))
    return MySQLdb.connect(host=host, port=int(port), user=user, password=password, database=database,
                           autocommit=True)


def query(connection, text):
    # Below the cursor, so that the text is sent as it is.
    connection.query(text)
    result = connection.store_result()
    if result is None:
        return f"ok {connection.affected_rows()}"
    rows = result.fetch_row(maxrows=0)
    decode = lambda value: "NULL" if value is None else value.decode() if isinstance(value, bytes) else str(value)
    return "rows " + ";".join("|".join(map(decode, row)) for row in rows)


# Whoever was started in a shell's background ignores it from birth.
signal.signal(signal.SIGINT, signal.default_int_handler)

handles = {}
for line in sys.stdin:
    command, number, rest = (line.rstrip("\n").split(" ", 2) + ["", ""])[:3]
    try:
        if command == "connect":
            handles[number] = connect(rest)
            answer = "ok"
        elif command == "query":
            answer = query(handles[number], rest)
        elif command == "autocommit":
            handles[number].autocommit(rest != "0")
            answer = "ok"
        elif command == "commit":
            handles[number].commit()
            answer = "ok"
        elif command == "rollback":
            handles[number].rollback()
            answer = "ok"
        elif command == "id":
            answer = str(handles[number].thread_id())
        elif command == "close":
            handles.pop(number).close()
            answer = "closed"
        else:
            answer = f"unknown command {command}"
    except _mysql.MySQLError as error:
        number, text = error.args[:2]
        answer = f"error {number} {text}"
    print(answer, flush=True)
