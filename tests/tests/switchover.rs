//! Unchanged programs ride through a switchover.

use pointsman_lab::{Flavor, Scenario, Workload};
use pointsman_tests::{
    pair,
    story::{DNS_LAG, OUTAGE, lives_through, protected},
};

fn rides_through(flavor: Flavor, workload: Workload) {
    let Some(lab) = pair(flavor) else { return };
    let story = Scenario::read_only(OUTAGE, DNS_LAG);
    let audit = lives_through(&lab, workload, protected(flavor), &story, || lab.green());
    assert!(audit.is_spotless(), "{audit}");
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
