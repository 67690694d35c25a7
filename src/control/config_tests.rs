//! What an operator can write, and what they read when it is wrong.

use super::*;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn from_env(pairs: &[(&str, &str)]) -> (Config, Vec<String>) {
    let (config, complaints) = Config::from_sources(&env(pairs), None);
    (config, complaints.iter().map(Complaint::to_string).collect())
}

fn from_file(content: &str) -> (Config, Vec<String>) {
    let file = Some((Path::new("/etc/pointsman.toml"), Ok(content.to_owned())));
    let (config, complaints) = Config::from_sources(&[], file);
    (config, complaints.iter().map(Complaint::to_string).collect())
}

#[test]
fn nothing_written_means_the_defaults_and_no_complaint() {
    let missing = Some((Path::new("/etc/pointsman.toml"), Err(io::ErrorKind::NotFound.into())));
    let (config, complaints) = Config::from_sources(&[], missing);
    assert_eq!(config, Config::default());
    assert_eq!(complaints, []);
    assert_eq!(config.hold_max, Duration::from_secs(60));
    assert!(!config.hold_max_configured);
}

#[test]
fn every_key_is_read_from_the_environment() {
    let (config, complaints) = from_env(&[
        ("POINTSMAN", "on"),
        ("POINTSMAN_MODE", "observe"),
        ("POINTSMAN_HOLD_MAX", "4s"),
        ("POINTSMAN_SETTLE", "500ms"),
        ("POINTSMAN_ENDPOINTS", "orders.db, Billing:3307"),
        ("POINTSMAN_READERS", "reports.db"),
        ("POINTSMAN_NAMESERVERS", "10.0.0.2,[::1]:5353"),
        ("POINTSMAN_VICTIM_ERROR", "original"),
        ("POINTSMAN_LOG", "/var/log/pointsman.log"),
        ("POINTSMAN_LOG_LEVEL", "debug"),
        ("POINTSMAN_STATE_DIR", "/run/shop"),
        ("PATH", "/bin"),
    ]);
    assert_eq!(complaints, [""; 0]);
    assert_eq!(config.mode, Mode::Observe);
    assert_eq!((config.hold_max, config.hold_max_configured), (Duration::from_secs(4), true));
    assert_eq!(config.settle, Duration::from_millis(500));
    assert!(
        config.protects("ORDERS.db", 3306) && config.protects("billing", 3307) && !config.protects("billing", 3306)
    );
    assert!(config.is_reader("reports.db", 3306) && !config.is_reader("orders.db", 3306));
    assert_eq!(config.nameservers, ["10.0.0.2:53".parse().unwrap(), "[::1]:5353".parse().unwrap()]);
    assert_eq!(config.victim_error, VictimError::Original);
    assert_eq!(config.log, Sink::File("/var/log/pointsman.log".into()));
    assert_eq!(config.log_level, Level::Debug);
    assert_eq!(config.state_dir, Some("/run/shop".into()));
    assert_eq!(from_env(&[("POINTSMAN_STATE_DIR", "none")]).0.state_dir, None);
    assert_eq!(Config::default().state_dir, Some("/dev/shm".into()));
}

#[test]
fn every_key_is_read_from_the_file() {
    let (config, complaints) = from_file(concat!(
        "mode = \"replay\"\nhold_max = \"2m\"\nsettle = \"1s\"\nendpoints = [\"orders.db\", \"billing:3307\"]\n",
        "readers = \"a,b\"\nnameservers = [\"10.0.0.2\"]\nvictim_error = 2013\nlog = \"syslog\"\nlog_level = \"info\"\n",
    ));
    assert_eq!(complaints, [""; 0]);
    assert_eq!(config.hold_max, Duration::from_secs(120));
    assert_eq!((config.endpoints.len(), config.readers.len()), (2, 2));
    assert_eq!(config.victim_error, VictimError::ServerLost);
    assert_eq!((config.log, config.log_level), (Sink::Syslog, Level::Info));
}

#[test]
fn the_environment_wins_key_by_key() {
    let file = Some((Path::new("/p.toml"), Ok("hold_max = \"1s\"\nsettle = \"2s\"\n".to_owned())));
    let (config, complaints) = Config::from_sources(&env(&[("POINTSMAN_HOLD_MAX", "9s")]), file);
    assert_eq!(complaints, []);
    assert_eq!((config.hold_max, config.settle), (Duration::from_secs(9), Duration::from_secs(2)));
}

#[test]
fn off_is_understood_in_all_its_spellings() {
    for text in ["off", "OFF", "0", "no", "false", " off "] {
        assert!(from_env(&[("POINTSMAN", text)]).0.off, "{text:?}");
    }
    for text in ["on", "1", "yes", "True", ""] {
        let (config, complaints) = from_env(&[("POINTSMAN", text)]);
        assert!(!config.off && complaints.is_empty(), "{text:?}");
    }
    let (config, complaints) = from_env(&[("POINTSMAN", "of")]);
    assert!(!config.off);
    assert_eq!(complaints, ["environment, POINTSMAN: POINTSMAN = \"of\" is not on or off; it stays on"]);
}

#[test]
fn a_bad_value_is_named_with_what_is_allowed_and_the_default_is_used() {
    let (config, complaints) = from_env(&[("POINTSMAN_HOLD_MAX", "30")]);
    assert_eq!((config.hold_max, config.hold_max_configured), (Duration::from_secs(60), false));
    assert_eq!(
        complaints,
        ["environment, POINTSMAN_HOLD_MAX: hold_max = \"30\" is not a whole number with its unit, such as 500ms, 4s \
          or 2m, at most 1440m; the default, 60s, is used"]
    );

    let (config, complaints) = from_file("\n\nmode = \"evict\"\n");
    assert_eq!(config.mode, Mode::Replay);
    assert_eq!(
        complaints,
        ["/etc/pointsman.toml, line 3: mode = \"evict\" is not replay or observe; the default, replay, is used"]
    );
}

#[test]
fn one_bad_entry_does_not_cost_the_list() {
    let (config, complaints) = from_env(&[("POINTSMAN_NAMESERVERS", "10.0.0.2, ns.example")]);
    assert_eq!(config.nameservers.len(), 1);
    assert_eq!(complaints.len(), 1);
    assert!(complaints[0].contains("\"ns.example\"") && complaints[0].ends_with("the other entries are used"));

    let (_, complaints) = from_env(&[("POINTSMAN_ENDPOINTS", "a b")]);
    assert!(complaints[0].ends_with("every endpoint is protected"), "{complaints:?}");
}

#[test]
fn a_candidate_names_its_endpoint_and_no_port() {
    let (config, complaints) = from_env(&[(
        "POINTSMAN_CANDIDATES",
        "db.shop.example = Standby.shop.example, 10.0.0.2, db.shop.example=10.0.0.3:3307, db.shop.example=10.0.0.4",
    )]);
    let hosts: Vec<_> = config.candidates.iter().map(|candidate| candidate.host.as_str()).collect();
    assert_eq!(hosts, ["standby.shop.example", "10.0.0.4"]);
    assert!(complaints[0].contains("\"10.0.0.2\" is not endpoint=candidate"), "{complaints:?}");
    assert!(complaints[1].contains("\"db.shop.example=10.0.0.3:3307\" is not"), "{complaints:?}");
}

#[test]
fn an_unknown_key_is_named_with_the_keys_that_exist_and_without_its_value() {
    let (config, complaints) = from_env(&[("POINTSMAN_PASSWORD", "hunter2")]);
    assert_eq!(config, Config::default());
    assert_eq!(
        complaints,
        ["environment, POINTSMAN_PASSWORD: unknown key \"password\", ignored; the keys are mode, hold_max, settle, \
          endpoints, readers, candidates, nameservers, victim_error, log, log_level, \
          state_dir"]
    );
    let (_, complaints) = from_file("[server]\nhost = \"hunter2\"\n");
    assert_eq!(complaints.len(), 1);
    assert!(complaints[0].starts_with("/etc/pointsman.toml, line 1: unknown key \"server\""), "{complaints:?}");
}

#[test]
fn a_key_of_a_later_version_is_ignored_with_a_line() {
    let (config, complaints) = from_file("credentials = \"/etc/hunter2\"\n");
    assert_eq!(config, Config::default());
    assert_eq!(complaints, ["/etc/pointsman.toml, line 1: credentials is not supported by this version, ignored"]);
}

#[test]
fn a_broken_file_costs_one_line_with_its_place_and_leaves_the_environment_in_force() {
    let file = Some((Path::new("/p.toml"), Ok("settle = \"1s\"\nlog = hunter2\n".to_owned())));
    let (config, complaints) = Config::from_sources(&env(&[("POINTSMAN_MODE", "observe")]), file);
    assert_eq!((config.mode, config.settle), (Mode::Observe, Duration::from_secs(15)));
    assert_eq!(complaints.len(), 1);
    let line = complaints[0].to_string();
    assert!(line.starts_with("/p.toml, line 2: is not TOML: "), "{line}");
    assert!(!line.contains("hunter2") && !line.contains('\n'), "{line}");

    let (_, complaints) =
        Config::from_sources(&[], Some((Path::new("/p"), Err(io::ErrorKind::PermissionDenied.into()))));
    assert!(complaints[0].to_string().starts_with("/p: cannot be read: permission denied"), "{complaints:?}");
}

#[test]
fn a_file_that_the_operator_named_must_exist() {
    let named = env(&[("POINTSMAN_CONFIG", "/opt/p.toml")]);
    let file = source::config_file(&named, Path::new("/etc/pointsman.toml"));
    assert_eq!(file, Path::new("/opt/p.toml"));
    let (_, complaints) = Config::from_sources(&named, Some((file, Err(io::ErrorKind::NotFound.into()))));
    assert!(complaints[0].to_string().starts_with("/opt/p.toml: cannot be read: "), "{complaints:?}");

    let relative = env(&[("POINTSMAN_CONFIG", "p.toml")]);
    assert_eq!(source::config_file(&relative, Path::new("/etc/x")), Path::new("/etc/x"));
    let (_, complaints) = Config::from_sources(&relative, None);
    assert!(complaints[0].to_string().contains("is not an absolute path"), "{complaints:?}");
}

#[test]
fn a_password_in_the_wrong_place_is_not_repeated() {
    let (_, complaints) = from_env(&[("POINTSMAN_ENDPOINTS", "mysql://app:hunter2@orders.db/shop")]);
    assert_eq!(complaints.len(), 1);
    assert!(!complaints[0].contains("hunter2"), "{complaints:?}");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let (config, complaints) = from_env(&[("POINTSMAN_HOLD_MAX", ""), ("POINTSMAN_CONFIG", "")]);
    assert_eq!((config, complaints.len()), (Config::default(), 0));
}
