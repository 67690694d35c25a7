//! What an ordinary statement costs as long as nothing happens: no memory of ours.

use pointsman_lab::{ENDPOINT, Flavor, Lab};
use pointsman_tests::{
    DATABASE, PASSWORD, Shared, USER,
    compile::{mariadb_program, mysql_program},
    run::{self, Preload},
    single,
};

static LAB: Shared = Shared::new();

fn lab() -> Option<&'static Lab> {
    let lab = LAB.get(|| single(Flavor::MariaDb))?;
    let table = "CREATE TABLE IF NOT EXISTS shop.t (id INT AUTO_INCREMENT PRIMARY KEY, n INT); \
                 REPLACE INTO shop.t VALUES (1, 1)";
    lab.blue().sql(table).expect("a table");
    Some(lab)
}

/// Allocations during a hundred statements of each kind, bare and preloaded.
fn counted(lab: &Lab, command: impl Fn(Preload) -> std::process::Command) -> [String; 2] {
    [Preload::Bare, Preload::Preloaded].map(|preload| {
        let mut command = command(preload);
        command.args([ENDPOINT, &lab.port().to_string(), USER, PASSWORD, DATABASE]).env("POINTSMAN_LOG_LEVEL", "info");
        let ran = run::run(command);
        assert_eq!(ran.status, 0, "{ran:?}");
        assert_eq!(ran.log.iter().any(|line| line.contains("protected")), preload == Preload::Preloaded, "{ran:?}");
        ran.stdout
    })
}

#[test]
fn statements_that_change_no_state_allocate_nothing_of_ours_with_libmariadb() {
    let Some(lab) = lab() else { return };
    let program = mariadb_program("allocations");
    let [bare, preloaded] = counted(lab, |preload| run::command(lab, &program, preload));
    assert_eq!(preloaded, bare, "preloaded (left) is not as bare (right)");
}

#[test]
fn statements_that_change_no_state_allocate_nothing_of_ours_with_libmysqlclient() {
    let Some(lab) = lab() else { return };
    let Some(program) = mysql_program("allocations") else { return println!("skipped: no root with MySQL") };
    let [bare, preloaded] = counted(lab, |preload| run::sid_command(lab, &program, preload));
    assert_eq!(preloaded, bare, "preloaded (left) is not as bare (right)");
}
