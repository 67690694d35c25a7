"""An application with MySQLdb that wants its main thread back by a signal. Arguments: host user password database.
SIGTERM ends it with the code 3, as a container's does; SIGINT raises KeyboardInterrupt; SIGALRM raises TimeoutError.
One answer a line:

  connect N           ok | error NUMBER
  query N SQL         ok | error NUMBER | interrupted | timeout
  begin N SQL         begun: the same on a thread of its own; the main thread goes on
  value               what that thread's statement came to
  beside              beside: a second thread sleeps and computes from now on
  children            children: a child ends every 20 ms from now on, and SIGCHLD has a handler
  polite              polite: SIGTERM and SIGHUP are only noted from now on
  noted               how many of them were noted
  alarm SECONDS       set: SIGALRM comes once, after that time
  blocked             the signals that this thread blocks, or "none"
"""

import signal
import subprocess
import sys
import threading
import time

import MySQLdb
from MySQLdb import _mysql

host, user, password, database = sys.argv[1:]
handles = {}
noted = []
values = []


def leave(_number, _frame):
    sys.exit(3)


def give_up(_number, _frame):
    raise TimeoutError


def note(_number, _frame):
    noted.append(1)


def connect(number):
    try:
        handles[number] = MySQLdb.connect(host=host, user=user, password=password, database=database, autocommit=True)
        return "ok"
    except _mysql.MySQLError as error:
        return f"error {error.args[0]}"


def query(number, text):
    try:
        handles[number].query(text)
        handles[number].store_result()
        return "ok"
    except _mysql.MySQLError as error:
        return f"error {error.args[0]}"


def sleep_and_compute():
    while True:
        time.sleep(0.005)
        sum(range(1000))


def have_children():
    while True:
        subprocess.run(["/bin/true"], check=False)
        time.sleep(0.02)


signal.signal(signal.SIGTERM, leave)
# A program that a shell started in its background ignores SIGINT from birth.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGALRM, give_up)

thread = None
for line in sys.stdin:
    command, _, rest = line.rstrip("\n").partition(" ")
    number, _, text = rest.partition(" ")
    try:
        if command == "connect":
            answer = connect(number)
        elif command == "query":
            answer = query(number, text)
        elif command == "begin":
            thread = threading.Thread(target=lambda: values.append(query(number, text)))
            thread.start()
            answer = "begun"
        elif command == "value":
            thread.join()
            answer = values.pop()
        elif command == "beside":
            threading.Thread(target=sleep_and_compute, daemon=True).start()
            answer = command
        elif command == "children":
            signal.signal(signal.SIGCHLD, lambda *_: None)
            threading.Thread(target=have_children, daemon=True).start()
            answer = command
        elif command == "polite":
            signal.signal(signal.SIGTERM, note)
            signal.signal(signal.SIGHUP, note)
            answer = command
        elif command == "noted":
            answer = str(len(noted))
        elif command == "alarm":
            signal.setitimer(signal.ITIMER_REAL, float(rest))
            answer = "set"
        elif command == "blocked":
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
            answer = " ".join(sorted(one.name for one in mask)) or "none"
        else:
            answer = f"unknown command {command}"
    except KeyboardInterrupt:
        answer = "interrupted"
    except TimeoutError:
        answer = "timeout"
    print(answer, flush=True)
