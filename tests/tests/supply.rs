//! What goes into the library besides its own sources, and that nothing else does.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use pointsman_tests::library;

/// What may be linked into somebody's process and handed on without further conditions than a notice.
const LICENCES: [&str; 8] = ["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "0BSD", "Unicode-3.0"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("this package lies in the project's root")
}

/// The packages that are linked into the library, itself included.
fn linked(metadata: &Metadata) -> Vec<&Package> {
    let nodes = &metadata.resolve.as_ref().expect("resolved").nodes;
    let library = metadata.packages.iter().find(|package| package.name.as_str() == "pointsman").expect("the library");
    let (mut reached, mut left) = (BTreeSet::new(), vec![&library.id]);
    while let Some(id) = left.pop() {
        if reached.insert(id) {
            let node = nodes.iter().find(|node| node.id == *id).expect("each package was resolved");
            let linked =
                |kinds: &[cargo_metadata::DepKindInfo]| kinds.iter().any(|info| info.kind == DependencyKind::Normal);
            left.extend(node.deps.iter().filter(|dep| linked(&dep.dep_kinds)).map(|dep| &dep.pkg));
        }
    }
    let package = |id: &PackageId| metadata.packages.iter().find(|package| package.id == *id).expect("listed");
    reached.into_iter().map(package).collect()
}

/// The packages of this platform: a build has fetched no other's.
fn metadata() -> Metadata {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let options = ["--locked", "--offline", "--filter-platform", &platform].map(str::to_owned);
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).other_options(options);
    command.exec().expect("cargo knows the packages")
}

#[test]
fn everything_that_is_linked_into_the_library_may_be_handed_on() {
    let metadata = metadata();
    let linked = linked(&metadata);
    assert!(linked.len() > 20, "only {} packages were looked at", linked.len());
    for package in linked {
        let licence = package.license.as_deref().unwrap_or("none");
        let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX);
        let allowed = expression.is_ok_and(|expression| {
            expression.evaluate(|asked| {
                asked.license.id().is_some_and(|id| LICENCES.contains(&id.name)) && asked.addition.is_none()
            })
        });
        assert!(allowed, "{} {}: {licence}; allowed are {LICENCES:?}", package.name, package.version);
    }
    println!("skipped: security advisories: their database is not on the registry; run `cargo audit` where it is");
}

#[test]
fn whatever_is_not_ours_comes_from_the_registry_and_is_known_by_its_checksum() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("a lock file");
    let mut ours = BTreeSet::new();
    for entry in lock.split("[[package]]").skip(1) {
        let values: BTreeMap<_, _> = entry.lines().filter_map(|line| line.split_once(" = ")).collect();
        match values.get("source") {
            None => _ = ours.insert(values["name"].trim_matches('"')),
            Some(source) => {
                assert!(source.starts_with("\"registry+"), "{entry}");
                assert!(values.contains_key("checksum"), "{entry}");
            }
        }
    }
    let expected =
        ["pointsman", "pointsman-bench", "pointsman-cli", "pointsman-dice", "pointsman-lab", "pointsman-tests"];
    assert_eq!(ours, BTreeSet::from(expected));
}

/// The sources that git knows, in a directory of another name.
fn copied_sources(to: &Path) {
    let listed = Command::new("git").arg("-C").arg(root()).args(["ls-files", "-z"]).output().expect("git is here");
    assert!(listed.status.success(), "not a git checkout");
    for name in listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = std::str::from_utf8(name).expect("our file names are UTF-8");
        let (from, to) = (root().join(name), to.join(name));
        // Deleted, and not committed yet.
        if from.exists() {
            fs::create_dir_all(to.parent().expect("in the directory")).expect("a directory");
            fs::copy(from, to).expect("a copy");
        }
    }
}

#[test]
fn the_same_sources_make_the_same_library_wherever_they_lie() {
    if std::env::var_os("REPRODUCE").is_none() {
        return println!("skipped: a second build takes minutes: make soak, or REPRODUCE=1");
    }
    let directory = std::env::temp_dir().join(format!("pointsman-reproduced-{}", std::process::id()));
    let sources = directory.join("sources under another name");
    copied_sources(&sources);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--locked", "--offline"]).current_dir(&sources);
    let built = cargo.env("CARGO_TARGET_DIR", directory.join("target")).status().expect("cargo is here");
    assert!(built.success());
    let again = fs::read(directory.join("target/release/libpointsman.so")).expect("a library");
    let same = again == fs::read(library()).expect("a library");
    fs::remove_dir_all(&directory).expect("it was ours");
    assert!(same, "the second build differs from the first: is the first one of these very sources?");
}
