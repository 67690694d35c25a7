//! The library under test: loaded into every workload, on the host and in the sid root, and into nothing else.

use pointsman_lab::{Flavor, Lab, Workload, WorkloadOptions};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const SAYS: &str = "preloaded here";

/// A library that only says that it was loaded.
fn library(lab: &Lab) -> PathBuf {
    let (source, library) = (lab.directory().join("says.c"), lab.directory().join("says.so"));
    let text = format!(
        "#include <unistd.h>\n__attribute__((constructor)) static void says(void)\n\
         {{ if (write(2, \"{SAYS}\\n\", {}) < 0) _exit(9); }}\n",
        SAYS.len() + 1
    );
    std::fs::write(&source, text).unwrap();
    let compiler = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    assert!(compiler.unwrap().success());
    library
}

#[test]
fn every_workload_runs_with_the_given_library_preloaded() {
    let lab = match Lab::builder().blue(Flavor::MariaDb).single().start() {
        Err(error) if error.is_unavailable() => return println!("skipped: {error}"),
        lab => lab.unwrap(),
    };
    let library = library(&lab);
    for workload in Workload::ALL {
        for (preload, count) in [(false, 0), (true, 1)] {
            let mut options = WorkloadOptions::default().threads(1);
            if preload {
                options = options.preload(&library);
            }
            let running = match workload.start(&lab, options) {
                Err(error) if error.is_unavailable() => {
                    println!("skipped {workload}: {error}");
                    continue;
                }
                running => running.unwrap(),
            };
            running.wait_for_writes(Duration::from_secs(20), 5).unwrap();
            assert_eq!(running.stderr().matches(SAYS).count(), count, "{workload}: {}", running.stderr());
            running.stop().unwrap();
        }
    }
}
