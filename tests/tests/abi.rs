//! What the library shows to the outside: its C header and its exported symbols.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use pointsman_tests::{
    compile::{self, Kind},
    library,
    run::run,
    source,
};

const UPDATE: &str = "UPDATE=1 cargo test -p pointsman-tests --test abi";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("this package lies in the project's root")
}

/// The checked-in file says what it ought to, or is made to.
fn assert_up_to_date(file: &Path, expected: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(file.parent().expect("a file lies somewhere")).unwrap();
        fs::write(file, expected).unwrap();
    }
    let found = fs::read_to_string(file).unwrap_or_default();
    let differs = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    let line = 1 + differs.unwrap_or(found.lines().count().min(expected.lines().count()));
    assert!(
        found == expected,
        "{} is out of date from line {line} on; if that is meant, run: {UPDATE}\n found: {:?}\nwanted: {:?}",
        file.display(),
        found.lines().nth(line - 1),
        expected.lines().nth(line - 1),
    );
}

fn header() -> String {
    let source = fs::read_to_string(root().join("src/abi.rs")).expect("the C interface's source");
    // cbindgen does not look inside `cfg_attr`, and headings are Rust's custom.
    let exported = "#[cfg_attr(all(feature = \"doors\", not(test)), unsafe(no_mangle))]";
    assert!(source.contains(exported), "src/abi.rs exports by another attribute now: this test has to know it");
    let plain = source.replace(exported, "#[unsafe(no_mangle)]").replace("/// # Safety\n", "");
    let file = std::env::temp_dir().join(format!("pointsman-abi-{}.rs", std::process::id()));
    fs::write(&file, plain).expect("a temporary file");
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("a valid cbindgen.toml");
    let bindings = cbindgen::Builder::new().with_config(config).with_src(&file).generate();
    let _ = fs::remove_file(&file);
    let mut text = Vec::new();
    bindings.expect("src/abi.rs can be bound").write(&mut text);
    String::from_utf8(text).expect("a header is text")
}

#[test]
fn the_header_says_what_the_c_interface_says() {
    assert_up_to_date(&root().join("include/pointsman.h"), &header());
}

#[test]
fn a_strict_c_program_that_includes_the_header_and_links_the_library_gets_what_it_says() {
    let library = library();
    let include = format!("-I{}", root().join("include").display());
    let rpath = format!("-Wl,-rpath,{}", library.parent().expect("a directory").display());
    let flags = ["-std=c99", "-pedantic", &include, library.to_str().expect("UTF-8"), &rpath];
    let program = compile::compile("abi", "abi", Kind::Program, &flags);
    for switch in ["on", "off"] {
        let mut command = Command::new(&program);
        command.args([env!("CARGO_PKG_VERSION"), switch]).env("POINTSMAN", switch).env("POINTSMAN_CONFIG", "/dev/null");
        let ran = run(command);
        assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{ran:?}");
    }
}

#[test]
fn a_program_that_was_linked_with_the_library_and_has_another_copy_preloaded_loads_one_of_them() {
    let library = library();
    let include = format!("-I{}", root().join("include").display());
    let rpath = format!("-Wl,-rpath,{}", library.parent().expect("a directory").display());
    let flags = ["-std=c99", &include, library.to_str().expect("UTF-8"), &rpath];
    let program = compile::compile("abi_preloaded", "abi", Kind::Program, &flags);
    let copy = program.with_extension("so");
    fs::copy(&library, &copy).expect("a copy");
    let mut command = Command::new(&program);
    // The loader lists what it would load.
    let ran = run({
        command.env("LD_TRACE_LOADED_OBJECTS", "1").env("LD_PRELOAD", &copy);
        command
    });
    let ours: Vec<_> =
        ran.stdout.lines().filter(|line| line.contains("libpointsman") || line.contains("abi_")).collect();
    assert!(ours.len() == 1 && ours[0].contains(copy.to_str().expect("UTF-8")), "{ran:?}");
}

#[test]
fn the_header_is_strict_cpp_too() {
    let mut compiler = Command::new("c++");
    compiler.args(["-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-I"]);
    compiler.arg(root().join("include")).args(["-x", "c++"]).arg(source("c/abi.c"));
    match compiler.output() {
        Err(error) => println!("skipped: no C++ compiler ({error})"),
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn the_library_exports_the_listed_symbols_and_no_other() {
    let output = match Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output() {
        Err(error) => return println!("skipped: no nm ({error})"),
        Ok(output) => output,
    };
    let listing = String::from_utf8(output.stdout).expect("symbols are text");
    let mut symbols: Vec<_> = listing.lines().filter_map(|line| line.split_whitespace().last()).collect();
    symbols.sort_unstable();
    assert_up_to_date(&root().join("tests/exported-symbols.txt"), &(symbols.join("\n") + "\n"));
}
