"""Talks to a server with PyMySQL: what is said is recorded on the way. talker.py HOST PORT USER PASSWORD"""
import sys

import pymysql

host, port, user, password = sys.argv[1:5]
options = dict(host=host, port=int(port), user=user, password=password, database="shop", ssl_disabled=True)


def run(connection, text, values=None):
    try:
        with connection.cursor() as cursor:
            cursor.execute(text, values)
            cursor.fetchall()
            while cursor.nextset():
                cursor.fetchall()
    except pymysql.Error:
        pass


connection = pymysql.connect(**options)
run(connection, "CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, v VARCHAR(20))")
run(connection, "INSERT INTO t VALUES (%s, %s)", (1, "ä"))
connection.commit()
run(connection, "SELECT * FROM t WHERE id = %s", (1,))
run(connection, "SELECT nonsense")
connection.rollback()
connection.begin()
run(connection, "INSERT INTO t VALUES (2, NULL)")
connection.commit()
connection.autocommit(True)
run(connection, "CALL two_results()")
run(connection, "CALL failing()")
connection.ping(reconnect=False)
connection.select_db("shop")
unbuffered = connection.cursor(pymysql.cursors.SSCursor)
unbuffered.execute("SELECT id, v FROM t")
unbuffered.fetchone()
unbuffered.close()
connection.close()

several = pymysql.connect(client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS, **options)
run(several, "SELECT 1; SELECT 2; DO 0")
several.close()
