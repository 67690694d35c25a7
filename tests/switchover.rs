//! Unchanged programs ride through a switchover.

use std::time::Duration;

use pointsman_lab::{Flavor, Scenario, Workload, WorkloadOptions};
use pointsman_tests::{library, pair};

const OUTAGE: Duration = Duration::from_millis(1500);
const DNS_LAG: Duration = Duration::from_millis(1000);

fn rides_through(flavor: Flavor, workload: Workload) {
    let Some(lab) = pair(flavor) else { return };
    let mut options = WorkloadOptions::default().preload(library());
    // MySQL 9.7 insists on TLS for its default authentication; the name is verified too.
    options.tls = flavor == Flavor::MySql;
    let running = workload.start(&lab, options).unwrap();
    running.wait_for_writes(Duration::from_secs(20), 100).unwrap();
    let timeline = Scenario::read_only(OUTAGE, DNS_LAG).run(&lab, &mut |event| println!("{event}")).unwrap();
    let after = running.wait_for_writes(Duration::from_secs(20), 100);
    println!("stderr of the program:\n{}", running.stderr());
    after.unwrap();
    let verdict = running.stop().unwrap().check(lab.green()).unwrap();
    println!("{timeline}\n{verdict}");
    assert_eq!((verdict.failed, verdict.lost.len(), verdict.doubled.len()), (0, 0, 0), "{verdict}");
}

macro_rules! rides {
    ($($name:ident: $flavor:ident, $workload:ident;)*) => {$(
        #[test]
        fn $name() {
            rides_through(Flavor::$flavor, Workload::$workload);
        }
    )*};
}

rides! {
    mysql2_on_mariadb_sees_a_pause_and_no_error: MariaDb, Mysql2;
    activerecord_on_mariadb_sees_a_pause_and_no_error: MariaDb, ActiveRecord;
    mysqldb_on_mariadb_sees_a_pause_and_no_error: MariaDb, MySqlDb;
    libmariadb_on_mariadb_sees_a_pause_and_no_error: MariaDb, LibMariaDb;
    dbd_on_mariadb_sees_a_pause_and_no_error: MariaDb, Dbd;
    libmysqlclient_on_mariadb_sees_a_pause_and_no_error: MariaDb, LibMySqlClient;
    mysql2_on_mysql_sees_a_pause_and_no_error: MySql, Mysql2;
    activerecord_on_mysql_sees_a_pause_and_no_error: MySql, ActiveRecord;
    mysqldb_on_mysql_sees_a_pause_and_no_error: MySql, MySqlDb;
    libmariadb_on_mysql_sees_a_pause_and_no_error: MySql, LibMariaDb;
    dbd_on_mysql_sees_a_pause_and_no_error: MySql, Dbd;
    libmysqlclient_on_mysql_sees_a_pause_and_no_error: MySql, LibMySqlClient;
}
