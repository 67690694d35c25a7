"""Naive application code on mysqlclient (MySQLdb): one connection per thread.

Autocommit is off, the driver's default, and every insert is committed; LAB_AUTOCOMMIT=1 switches it on.
There is no retry and no reconnect but for what these ask for:
- LAB_EVICT=1: a connection that reported an error is closed, and the next statement connects anew, as pools do;
- LAB_ROWS=K: a write is a transaction of K inserts, its rows numbered in `note`;
- LAB_SWALLOW=1: an insert that fails is forgotten, and the transaction goes on to its COMMIT;
- LAB_RETRY=1: after 1213 and 1205 the transaction is run again, as frameworks do;
- LAB_FORM: how a row is written, see `FORMS`;
- LAB_PASSWORD_FILE: the password is read from this file at each connect;
- LAB_READERS=N: the first N workers only read.
Writes one record per attempted statement to standard output; stops when standard input ends.
"""
import os
import sys
import threading
import time

import MySQLdb

AUTOCOMMIT = os.environ.get("LAB_AUTOCOMMIT") == "1"
EVICT = "LAB_EVICT" in os.environ
ROWS = int(os.environ.get("LAB_ROWS", "1"))
SWALLOW = "LAB_SWALLOW" in os.environ
RETRY = "LAB_RETRY" in os.environ
READERS = int(os.environ.get("LAB_READERS", "0"))
# Statements of one row: {w} the worker, {s} the number of the write, {p} the number of its row.
FORMS = {
    "plain": ["INSERT INTO orders (worker, seq, note) VALUES ({w}, {s}, '{p}')"],
    "chain": [
        "INSERT INTO parents (worker, seq) VALUES ({w}, {s})",
        "INSERT INTO orders (worker, seq, note, parent) VALUES ({w}, {s}, '{p}', LAST_INSERT_ID())",
    ],
    "sequence": [
        "INSERT INTO parents (id, worker, seq) VALUES (NEXTVAL(ids), {w}, {s})",
        "INSERT INTO orders (worker, seq, note, parent) VALUES ({w}, {s}, '{p}', LASTVAL(ids))",
    ],
    "family": [
        "INSERT INTO parents (worker, seq) VALUES ({w}, {s}), ({w}, {s}), ({w}, {s})",
        "INSERT INTO orders (worker, seq, note, parent) VALUES ({w}, {s}, '{p}', {third})",
    ],
    "function": ["SELECT place({w}, {s}, '{p}')"],
    "view": ["SET @w = {w}, @s = {s}, @p = '{p}'", "SELECT placed FROM placing"],
    "bulk": ["INSERT INTO orders (worker, seq, note) SELECT {w}, {s}, n FROM numbers"],
}
FORM = FORMS[os.environ.get("LAB_FORM", "plain")]
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


def password():
    if "LAB_PASSWORD_FILE" in os.environ:
        with open(os.environ["LAB_PASSWORD_FILE"], encoding="ascii") as file:
            return file.read().strip()
    return os.environ["LAB_PASSWORD"]


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
        passwd=password(),
        db=os.environ["LAB_DATABASE"],
        autocommit=AUTOCOMMIT,
        **options,
    )


def number_of(error):
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


class Connection:
    """The connection of one worker."""

    def __init__(self, worker):
        self.worker = worker
        self.driver = None
        self.increment = 1

    def reckon(self):
        """Asks how far apart ids are: before a transaction, and outside it."""
        if FORM is FORMS["family"]:
            self.increment = self.run("SELECT @@auto_increment_increment")[0][0]
            self.driver.commit()

    def attempt(self, seq, kind, action, told=""):
        """Runs and records one call; `told` begins the record's message."""
        started = now_us()
        try:
            outcome = action()
        except MySQLdb.Error as error:
            record(self.worker, seq, kind, started, "error", number_of(error), f"{told}{error.args[-1] if error.args else error}")
            self.after(error)
            return False
        # A transaction tells by itself what it swallowed.
        outcome, told = outcome if isinstance(outcome, tuple) else (outcome, told)
        record(self.worker, seq, kind, started, outcome, 0, told)
        return outcome == "ok"

    def after(self, error):
        if self.driver is None:
            return
        if EVICT and number_of(error) not in (1213, 1205):
            self.close()
            return
        try:
            self.driver.rollback()
        except MySQLdb.Error:
            pass  # The rollback fails with the connection; the next statement tells.

    def close(self):
        driver, self.driver = self.driver, None
        try:
            driver.close()
        except MySQLdb.Error:
            pass

    def open(self):
        def opened():
            self.driver = connect()
            return "ok"

        while not stop.is_set() and self.driver is None and not self.attempt(0, "connect", opened):
            stop.wait(0.05)
        return self.driver is not None

    def run(self, statement):
        cursor = self.driver.cursor()
        try:
            cursor.execute(statement)
            return cursor.fetchall()
        finally:
            cursor.close()

    def row(self, seq, part):
        third = 0
        for statement in FORM:
            self.run(statement.format(w=self.worker, s=seq, p=part, third=third))
            third = self.driver.insert_id() + 2 * self.increment

    def insert(self, seq):
        self.reckon()
        self.row(seq, "mysqldb")
        if not AUTOCOMMIT:
            self.driver.commit()
        return "ok"

    def transaction(self, seq):
        for left in reversed(range(10)):
            swallowed = []
            try:
                self.reckon()
                if AUTOCOMMIT:
                    self.run("START TRANSACTION")
                for part in range(1, ROWS + 1):
                    try:
                        self.row(seq, part)
                    except MySQLdb.Error as error:
                        if not SWALLOW:
                            raise
                        swallowed.append(f" {part}={number_of(error)}")
                self.driver.commit()
                return "ok", f"[{ROWS}{''.join(swallowed)}]"
            except MySQLdb.Error as error:
                if not (RETRY and left and number_of(error) in (1213, 1205)):
                    text = error.args[-1] if error.args else error
                    raise MySQLdb.OperationalError(number_of(error), f"[{ROWS}{''.join(swallowed)}] {text}") from error
                self.driver.rollback()

    def find(self, worker, seq):
        found = self.run(f"SELECT seq FROM orders WHERE worker = {worker} AND seq = {seq} LIMIT 1")
        if not AUTOCOMMIT:
            self.driver.commit()
        return "ok" if found else "stale"


def work(index):
    # A worker that only reads is nobody's neighbour.
    writers = max(count - READERS, 1)
    worker, neighbour = first + index, first + READERS + (index - READERS + 1) % writers
    connection = Connection(worker)
    only_reads = READS_ONLY or index < READERS
    seq = 0
    while connection.open():
        seq += 1
        if only_reads:
            of, row = (0, 0) if READS_ONLY else (neighbour, written.get(neighbour))
            if row is not None:
                connection.attempt(row, "select", lambda: connection.find(of, row))
            stop.wait(PAUSE)
        else:
            write = connection.transaction if ROWS > 1 else connection.insert
            if connection.attempt(seq, "insert", lambda: write(seq)):
                written[worker] = seq
            last = written.get(neighbour)
            if last and seq % READ_EVERY == 0 and connection.open():
                connection.attempt(last, "select", lambda: connection.find(neighbour, last))
            stop.wait(PAUSE)
        if stop.is_set():
            break


first, count = int(os.environ["LAB_FIRST_WORKER"]), int(os.environ["LAB_THREADS"])
threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
for thread in threads:
    thread.start()
sys.stdin.buffer.read()
stop.set()
for thread in threads:
    thread.join()
