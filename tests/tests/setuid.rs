//! Programs with other rights than their caller's: LD_PRELOAD is ignored there, and where /etc/ld.so.preload names the
//! library the caller's environment says nothing to it.

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, Lab, PASSWORD, SandboxKind, USER};
use pointsman_tests::{
    Shared, compile,
    everywhere::{self, Told},
    run::{self, Ran},
    single,
};

static LAB: Shared = Shared::new();

fn lab() -> Option<&'static Lab> {
    let lab = LAB.get(|| single(Flavor::MariaDb))?;
    if !matches!(SandboxKind::of_this_machine(), Ok(SandboxKind::Root)) {
        println!("skipped: other rights than the caller's can be had by root only");
        return None;
    }
    Some(lab)
}

/// `survivor.c`, by nobody, in an environment that wants the library's log to be written to a file.
fn survivor(lab: &Lab, mode: &str, told: Told, environment: &[(&str, &str)]) -> Ran {
    let mut command = everywhere::command(lab, &compile::survivor(), mode, told);
    command.envs([("PLUGIN_HOST", ENDPOINT), ("PLUGIN_USER", USER)]);
    command.envs([("PLUGIN_PASSWORD", PASSWORD), ("PLUGIN_DATABASE", DATABASE)]);
    command.envs([("POINTSMAN_LOG", "/mnt/open/log"), ("POINTSMAN_LOG_LEVEL", "debug")]);
    command.envs(environment.iter().copied());
    run::run(command)
}

const SETUID: &str = "4755";
const SETGID: &str = "2755";

#[test]
fn a_setuid_program_runs_with_ld_preload_as_without_us() {
    let Some(lab) = lab() else { return };
    for mode in [SETUID, SETGID] {
        let [bare, preloaded] = [Told::Nobody, Told::Environment].map(|told| survivor(lab, mode, told, &[]));
        assert_eq!((preloaded.status, preloaded.stdout.as_str()), (3, "secure: 1\nlost\n"), "{preloaded:?}");
        assert_eq!(preloaded, bare);
    }
}

#[test]
fn a_setuid_program_that_the_system_preloads_is_protected_and_does_not_do_what_its_callers_environment_says() {
    let Some(lab) = lab() else { return };
    for mode in [SETUID, SETGID] {
        for off in ["on", "off"] {
            let ran = survivor(lab, mode, Told::System, &[("POINTSMAN", off)]);
            assert_eq!((ran.status, ran.stdout.as_str()), (3, "secure: 1\nprotected\n"), "{ran:?}");
            assert!(ran.log.is_empty() && ran.stderr.is_empty(), "{ran:?}");
        }
    }
}

#[test]
fn any_other_program_that_the_system_preloads_is_protected_and_does_what_its_environment_says() {
    let Some(lab) = lab() else { return };
    let ran = survivor(lab, "755", Told::System, &[]);
    assert_eq!((ran.status, ran.stdout.as_str()), (3, "secure: 0\nprotected\n/mnt/open/log\n"), "{ran:?}");
    let ran = survivor(lab, "755", Told::System, &[("POINTSMAN", "off")]);
    assert_eq!((ran.status, ran.stdout.as_str()), (3, "secure: 0\nlost\n"), "{ran:?}");
}
