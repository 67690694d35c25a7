//! Proof × client library × server.

use crate::programs::dialogue::Driver;

/// Both client libraries, or the one that this machine has.
pub fn drivers() -> impl Iterator<Item = Driver> {
    [Driver::LibMariaDb, Driver::LibMySqlClient].into_iter().filter(|driver| driver.is_available())
}

/// Proofs that run on both servers: `on_both!(set_up; name name …)` makes a test of each `proofs::name(&lab)`, in a lab
/// of its own on which `set_up(&lab)` was run.
#[macro_export]
macro_rules! on_both {
    ($set_up:path; $($name:ident)*) => {$(
        #[test]
        fn $name() {
            for flavor in [$crate::Flavor::MariaDb, $crate::Flavor::MySql] {
                let Some(lab) = $crate::pair(flavor) else { return };
                $set_up(&lab);
                proofs::$name(&lab);
            }
        }
    )*};
}

/// Proofs on both client libraries and both servers: `on_all!(set; name name …)` makes a test of each
/// `proofs::name(&mut Stage)`, on a stage that `set(&lab, driver)` made in a lab of its own.
#[macro_export]
macro_rules! on_all {
    ($set:path; $($name:ident)*) => {$(
        #[test]
        fn $name() {
            for flavor in [$crate::Flavor::MariaDb, $crate::Flavor::MySql] {
                for driver in $crate::drivers() {
                    let Some(lab) = $crate::pair(flavor) else { return };
                    println!("{flavor:?}, {driver:?}");
                    proofs::$name(&mut $set(&lab, driver));
                }
            }
        }
    )*};
}
