// Talks to a server with a driver of Node: what is said is recorded on the way.
// talker.js HOST PORT USER PASSWORD DRIVER (mysql2 or mariadb)
const [host, port, user, password, driver] = process.argv.slice(2);
const options = { host, port: Number(port), user, password, database: 'shop', multipleStatements: true };

async function main() {
  const ignore = () => {};
  let connection;
  if (driver === 'mysql2') {
    connection = await require('mysql2/promise').createConnection(options);
  } else {
    connection = await require('mariadb').createConnection({ ...options, allowPublicKeyRetrieval: true });
  }
  const run = (text, values) => connection.query(text, values).catch(ignore);
  const execute = (text, values) => connection.execute(text, values).catch(ignore);
  await run('CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, v VARCHAR(20))');
  // Not waited for: where the driver can, several are under way.
  await Promise.all([1, 2, 3, 4].map((id) => run('INSERT INTO t VALUES (?, ?)', [id, 'v' + id])));
  await Promise.all([run('SELECT * FROM t'), run('nonsense'), run('SELECT 1; SELECT 2; nonsense'), run('DO 0')]);
  await connection.beginTransaction();
  await run('INSERT INTO t VALUES (9, NULL)');
  await connection.commit();
  await Promise.all([1, 2, 3].map((id) => execute('SELECT v FROM t WHERE id = ?', [id])));
  await execute('SELECT v FROM t WHERE id = ?', [4]);
  await execute('SELECT nonsense', []);
  if (driver === 'mariadb') {
    await connection.batch('INSERT INTO t VALUES (?, ?)', [[21, 'a'], [22, 'b']]).catch(ignore);
    await connection.reset().catch(ignore);
  }
  await run('CALL two_results()');
  await connection.ping();
  // The driver for MariaDB does not do it on MySQL.
  await connection.changeUser({ user, password, database: 'shop' }).catch(ignore);
  await run('SELECT CURRENT_USER()');
  await connection.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
