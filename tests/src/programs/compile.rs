//! The C programs of `programs/c`, compiled once per process.

use std::{
    path::PathBuf,
    process::Command,
    sync::{Mutex, PoisonError},
};

use pointsman_lab::sid_root;

/// What is made of a source file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Program,
    SharedLibrary,
}

/// A program with libmariadb.
pub fn mariadb_program(source: &str) -> PathBuf {
    mariadb(source, source, Kind::Program, &[])
}

/// The same of any kind, with further flags.
pub fn mariadb(name: &str, source: &str, kind: Kind, more: &[&str]) -> PathBuf {
    let flags = Command::new("mariadb_config").args(["--cflags", "--libs"]).output();
    let flags = flags.expect("mariadb_config can be run: install libmariadb-dev");
    let flags = String::from_utf8(flags.stdout).expect("flags are text");
    let flags: Vec<_> = flags.split_whitespace().chain(more.iter().copied()).collect();
    compile(name, source, kind, &flags)
}

/// A program with libmysqlclient, which runs in the root with Debian sid; `None` if this machine has none.
pub fn mysql_program(source: &str) -> Option<PathBuf> {
    let root = sid_root().ok()?;
    let inside = |path: String| root.join(path).display().to_string();
    let include = format!("-I{}", inside("usr/include/mysql".into()));
    let libraries = format!("-L{}", inside(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH)));
    // The root's C library is newer than the host's: the host's headers come first, and what the client library itself
    // needs is not looked for.
    let own = inside("usr/include".into());
    let flags = [&include, "-idirafter", &own, &libraries, "-lmysqlclient", "-Wl,--allow-shlib-undefined"];
    Some(compile(&format!("{source}_mysql"), source, Kind::Program, &flags))
}

/// `survivor.c` as a program.
pub fn survivor() -> PathBuf {
    mariadb("survivor", "survivor", Kind::Program, &["-DMAIN"])
}

/// A program or shared library of C99 and nothing else.
pub fn plain(source: &str, kind: Kind) -> PathBuf {
    compile(source, source, kind, &[])
}

/// Compiles `programs/c/<source>.c` to `name`, which is found next to all others at run time too. `flags` belong to the
/// name: two calls with one name make one file.
pub fn compile(name: &str, source: &str, kind: Kind, flags: &[&str]) -> PathBuf {
    with("cc", name, source, kind, flags)
}

/// The same with a certain compiler.
pub fn with(compiler: &str, name: &str, source: &str, kind: Kind, flags: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let directory = directory();
    let file = match kind {
        Kind::Program => name.to_owned(),
        Kind::SharedLibrary => format!("lib{name}.so"),
    };
    let target = directory.join(file);
    let mut made = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if made.contains(&target) {
        return target;
    }
    // Beside its place and then into it: another test process may be running the old one.
    let fresh = target.with_extension(format!("{}", std::process::id()));
    let source = super::source("c").join(source).with_extension("c");
    let mut compiler = Command::new(compiler);
    compiler.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-o"]).arg(&fresh);
    if kind == Kind::SharedLibrary {
        compiler.args(["-shared", "-fPIC"]).arg(format!("-Wl,-soname,lib{name}.so"));
    }
    compiler.arg(&source).args(flags).arg("-L").arg(&directory).arg(format!("-Wl,-rpath,{}", directory.display()));
    let output = compiler.output().expect("a C compiler can be run: install gcc");
    assert!(output.status.success(), "{}:\n{}", source.display(), String::from_utf8_lossy(&output.stderr));
    std::fs::rename(&fresh, &target).expect("the compiled file can be put into its place");
    made.push(target.clone());
    target
}

/// Beside the test program, which cargo keeps per profile.
fn directory() -> PathBuf {
    let test = std::env::current_exe().expect("the test program's path");
    let directory = test.parent().expect("it lies in a directory").join("programs");
    std::fs::create_dir_all(&directory).expect("a directory for programs");
    directory
}
