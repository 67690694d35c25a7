# A busy program that never touches MySQL: sockets, threads, children, names. Says what it has in the end.
import os
import socket
import subprocess
import threading

listener = socket.create_server(("127.0.0.1", 0))


def serve():
    for _ in range(20):
        connection, _ = listener.accept()
        connection.sendall(connection.recv(100))
        connection.close()


def call(number):
    with socket.create_connection(listener.getsockname()) as connection:
        os.close(os.dup(connection.fileno()))
        connection.sendall(b"%d" % number)
        assert connection.recv(100) == b"%d" % number


server = threading.Thread(target=serve)
server.start()
callers = [threading.Thread(target=call, args=[number]) for number in range(20)]
for thread in callers:
    thread.start()
for thread in [*callers, server]:
    thread.join()
children = [os.fork() for _ in range(3)]
if 0 in children:
    os._exit(len(os.listdir("/proc/self/task")))
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
print(subprocess.run(["sh", "-c", "ls /proc/self/task | wc -l"], capture_output=True).stdout)
print(socket.getaddrinfo("db.lab.test", 3306, type=socket.SOCK_STREAM)[0][4])
print(len(os.listdir("/proc/self/task")), sorted(os.listdir("/proc/self/fd")))
