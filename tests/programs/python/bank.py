"""A bank: threads that move money between accounts, each transfer one transaction, until the standard input ends.

It does what every correct application does, and knows nothing of switchovers: after 1213 and 1205 it runs the
transaction again; after a lost connection it connects again, and if that was lost at COMMIT it looks whether the
transfer is there. Every attempt has an id of its own, so that what failed can be told from what was tried again.

Writes lines `WORKER WHAT …`:
  acked ID                the server acknowledged the COMMIT
  found ID, missing ID    the answer to COMMIT was lost; what a look into the ledger said
  failed ID STAGE ERROR   it is not stored, for sure; STAGE is begin, open (COMMIT not sent), locked (the same,
                          with locks on rows that it has read) or commit
  carried STAGE           the transaction got through on another connection than it began on
  victim STAGE            a 1213 of which the preloaded library says that it is its own
  broke ERROR             an error that no switchover explains; this worker ends
and at the end `counter NAME VALUE`, those of the preloaded library.
"""
import ctypes
import os
import random
import sys
import threading
import time

import MySQLdb

DEADLOCK, LOCK_WAIT_TIMEOUT = 1213, 1205
# Of 1053 too nobody knows whether what it was the answer to was done.
LOST = (2006, 2013, 1053)
# A server that restarts: nobody listens, the greeting does not come, or comes from one that shuts down.
NOT_YET = (2002, 2003, 2006, 2013, 1053)
OURS = "(the server changed)"

accounts = int(os.environ["BANK_ACCOUNTS"])
stop = threading.Event()
out = threading.Lock()


def tell(*words):
    with out:
        sys.stdout.write(" ".join(map(str, words)) + "\n")
        sys.stdout.flush()


def connect():
    """Connects, for some seconds again and again, as long as nobody listens."""
    for left in reversed(range(100)):
        try:
            return connect_once()
        except MySQLdb.Error as error:
            if not left or error.args[0] not in NOT_YET:
                raise
            time.sleep(0.1)


def connect_once():
    options = {"read_default_file": os.environ["LAB_TLS_OPTIONS"]} if "LAB_TLS_OPTIONS" in os.environ else {}
    return MySQLdb.connect(
        host=os.environ["LAB_HOST"],
        port=int(os.environ["LAB_PORT"]),
        user="app",
        passwd=os.environ["LAB_PASSWORD"],
        db="shop",
        autocommit=True,
        **options,
    )


def run(connection, text):
    connection.query(text)
    result = connection.store_result()
    return result.fetch_row(0) if result is not None else None


class Worker(threading.Thread):
    def __init__(self, number):
        super().__init__()
        self.number = number
        self.dice = random.Random("%s %s" % (os.environ["BANK_SEED"], number))
        self.connection = connect()
        self.stage = "begin"

    def run(self):
        transfers = 0
        while not stop.is_set():
            transfers += 1
            source, target = self.dice.sample(range(1, accounts + 1), 2)
            amount = self.dice.randint(1, 5)
            attempt = 0
            stored = False
            while not stored and not stop.is_set():
                attempt += 1
                try:
                    stored = self.attempt("%d-%d-%d" % (self.number, transfers, attempt), source, target, amount)
                except MySQLdb.Error as error:
                    tell(self.number, "broke", *error.args)
                    return

    def attempt(self, name, source, target, amount):
        self.stage = "begin"
        try:
            self.transfer(name, source, target, amount)
        except MySQLdb.Error as error:
            return self.after(name, error)
        tell(self.number, "acked", name)
        return True

    def transfer(self, name, source, target, amount):
        connection = self.connection
        run(connection, "BEGIN")
        began_on = connection.thread_id()
        self.stage = "open"
        # One account after the other in the transfer's order, not in their own: there are deadlocks.
        if self.dice.random() < 0.5:
            for account, more in ((source, -amount), (target, amount)):
                run(connection, "UPDATE account SET money = money + (%d) WHERE id = %d" % (more, account))
        else:
            # What was read is written, so that an update in between would be lost, and seen.
            money = {}
            for account in (source, target):
                (row,) = run(connection, "SELECT money FROM account WHERE id = %d FOR UPDATE" % account)
                money[account] = int(row[0])
                if self.stage == "open":
                    self.stage, began_on = "locked", connection.thread_id()
            for account, now in ((source, money[source] - amount), (target, money[target] + amount)):
                run(connection, "UPDATE account SET money = %d WHERE id = %d" % (now, account))
        values = (name, source, target, amount)
        run(connection, "INSERT INTO ledger (transfer, source, target, amount) VALUES ('%s', %d, %d, %d)" % values)
        if connection.thread_id() != began_on:
            tell(self.number, "carried", self.stage)
        locked = self.stage == "locked"
        sent_on = connection.thread_id()
        self.stage = "commit"
        run(connection, "COMMIT")
        if connection.thread_id() != sent_on:
            tell(self.number, "carried", "locked" if locked else "commit")

    def after(self, name, error):
        number, text = error.args
        if number == DEADLOCK:
            if text.endswith(OURS):
                tell(self.number, "victim", self.stage)
        elif number == LOCK_WAIT_TIMEOUT:
            self.roll_back()
        elif number in LOST:
            self.connection.close()
            self.connection = connect()
            if self.stage == "commit":
                stored = run(self.connection, "SELECT COUNT(*) FROM ledger WHERE transfer = '%s'" % name) != ((0,),)
                tell(self.number, "found" if stored else "missing", name)
                return stored
        else:
            raise error
        tell(self.number, "failed", name, self.stage, number)
        return False

    def roll_back(self):
        try:
            run(self.connection, "ROLLBACK")
        except MySQLdb.Error:
            self.connection.close()
            self.connection = connect()


def counters():
    names = "protected_connections suspects holds held_ms moves reruns replays victims surfaced failed_open".split()
    values = (ctypes.c_uint64 * len(names))()
    try:
        ctypes.CDLL(None).pointsman_read_counters(values, ctypes.sizeof(values))
    except AttributeError:
        return {}
    return dict(zip(names, values))


workers = [Worker(number) for number in range(int(os.environ["BANK_WORKERS"]))]
for worker in workers:
    worker.start()
sys.stdin.read()
stop.set()
for worker in workers:
    worker.join()
for name, value in counters().items():
    tell("counter", name, value)
