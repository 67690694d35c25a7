//! What `pointsman doctor` says of real programs of every kind.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Exit code and what was printed, to whichever stream.
fn doctor(program: impl AsRef<Path>) -> (Option<i32>, String) {
    doctor_with_path(program, std::env::var("PATH").unwrap())
}

fn doctor_with_path(program: impl AsRef<Path>, path: String) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    let output = command.arg("doctor").arg(program.as_ref()).env("PATH", path).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[track_caller]
fn assert_says(program: impl AsRef<Path>, code: i32, parts: &[&str]) {
    let said = doctor(program);
    assert_eq!(said.0, Some(code), "{}", said.1);
    let verdict = ["can be reached", "cannot be reached", "pointsman: "][code as usize];
    assert!(said.1.contains(verdict) && parts.iter().all(|part| said.1.contains(part)), "{}: {parts:?}", said.1);
}

struct Workshop(TempDir);

impl Workshop {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// An executable file with this content.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        self.allow(&path, 0o755);
        path
    }

    fn allow(&self, path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn compile(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let (text, path) = (self.path(&format!("{name}.c")), self.path(name));
        fs::write(&text, source).unwrap();
        self.tool("cc", &[&["-o", path.to_str().unwrap(), text.to_str().unwrap()], flags].concat());
        path
    }

    /// The same program with other bytes at a place of its header.
    fn forge(&self, name: &str, original: &Path, at: usize, bytes: &[u8]) -> PathBuf {
        let mut content = fs::read(original).unwrap();
        content[at..at + bytes.len()].copy_from_slice(bytes);
        self.file(name, content)
    }

    fn tool(&self, name: &str, words: &[&str]) {
        let output = Command::new(name).args(words).current_dir(self.0.path()).output();
        let output = output.unwrap_or_else(|error| panic!("{name} cannot be run: {error}"));
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

const NOTHING: &str = "int main(void) { return 0; }";
const CLIENT: &str = "void *mysql_init(void *); void *client(void) { return mysql_init(0); }";

#[test]
fn a_program_that_is_linked_with_a_client_library_can_be_reached_and_whose_it_is_is_said() {
    let shop = Workshop::new();
    let direct = shop.compile("direct", &format!("{CLIENT} {NOTHING}"), &["-lmariadb"]);
    assert_says(&direct, 0, &["linked with libmariadb.so.3: "]);
    shop.compile("libmiddle.so", CLIENT, &["-shared", "-fPIC", "-lmariadb"]);
    let flags = ["-L.", "-Wl,--no-as-needed", "-l:libmiddle.so", "-Wl,-rpath,$ORIGIN"];
    assert_says(shop.compile("indirect", NOTHING, &flags), 0, &["linked with libmariadb.so.3 by libmiddle.so: "]);
    let plain = shop.compile("plain", NOTHING, &[]);
    assert_says(&plain, 0, &["linked with no MySQL client library"]);
    let said = doctor_with_path("plain", shop.0.path().display().to_string());
    assert_eq!(said.0, Some(0), "{}", said.1);
    assert!(said.1.starts_with(plain.to_str().unwrap()), "found in PATH: {}", said.1);
}

#[test]
fn a_static_program_cannot_be_reached() {
    let shop = Workshop::new();
    assert_says(shop.compile("static", NOTHING, &["-static"]), 1, &["statically linked"]);
    assert_says(shop.compile("static_pie", NOTHING, &["-static-pie"]), 1, &["statically linked"]);
    match Path::new("/bin/busybox").exists() {
        true => assert_says("/bin/busybox", 1, &["statically linked"]),
        false => println!("skipped: no busybox-static"),
    }
}

/// Made of C programs with the section that Go's linker writes: a Go toolchain is a lot for that.
#[test]
fn a_go_program_cannot_be_reached_unless_it_calls_a_client_library_of_c() {
    let shop = Workshop::new();
    fs::write(shop.path("info"), b"\xff Go buildinf:").unwrap();
    for (name, flags) in [("static", &["-static"][..]), ("dynamic", &[]), ("cgo", &["-lmariadb"])] {
        let source = if name == "cgo" { format!("{CLIENT} {NOTHING}") } else { NOTHING.to_owned() };
        shop.compile(name, &source, flags);
        for section in [".go.buildinfo", ".note.go.buildid"] {
            let go = format!("{name}{section}");
            shop.tool("objcopy", &["--add-section", &format!("{section}=info"), name, &go]);
            match name {
                "cgo" => assert_says(shop.path(&go), 0, &["libmariadb.so.3"]),
                "static" => assert_says(shop.path(&go), 1, &["a Go program", "statically linked"]),
                _ => assert_says(shop.path(&go), 1, &["a Go program"]),
            }
        }
    }
}

#[test]
fn a_program_with_other_rights_than_its_callers_cannot_be_reached() {
    let shop = Workshop::new();
    let program = shop.compile("program", NOTHING, &[]);
    for (mode, says) in [(0o4755, "setuid: "), (0o2755, "setgid: "), (0o6755, "setuid: ")] {
        shop.allow(&program, mode);
        assert_says(&program, 1, &[says, "LD_PRELOAD"]);
    }
    shop.allow(&program, 0o2745);
    assert_says(&program, 0, &[]);
    shop.allow(&program, 0o755);
    let given = Command::new("setcap").arg("cap_net_bind_service=ep").arg(&program).output();
    match given {
        Ok(output) if output.status.success() => assert_says(&program, 1, &["capabilities"]),
        other => println!("skipped in part: no file capabilities can be given here ({other:?})"),
    }
}

#[test]
fn a_program_for_another_machine_or_c_library_cannot_be_reached() {
    let shop = Workshop::new();
    let ours = shop.compile("ours", NOTHING, &[]);
    let other = if cfg!(target_arch = "aarch64") { (62u16, "x86_64") } else { (183u16, "aarch64") };
    assert_says(shop.forge("machine", &ours, 18, &other.0.to_le_bytes()), 1, &["made for", other.1]);
    assert_says(shop.forge("small", &ours, 4, &[1]), 1, &["32-bit"]);
    let with_loader =
        |name: &str, loader: &str| shop.compile(name, NOTHING, &[&format!("-Wl,--dynamic-linker={loader}")]);
    assert_says(with_loader("musl", "/lib/ld-musl-x86_64.so.1"), 1, &["musl", "/lib/ld-musl-x86_64.so.1"]);
    assert_says(with_loader("android", "/system/bin/linker64"), 1, &["/system/bin/linker64"]);
    assert_says(with_loader("gone", "/nowhere/ld-linux-x86-64.so.2"), 1, &["/nowhere", "not there"]);
}

#[test]
fn a_program_with_a_client_library_inside_cannot_be_reached() {
    let shop = Workshop::new();
    let source = format!("void *mysql_real_connect(void) {{ return 0; }} {NOTHING}");
    assert_says(shop.compile("inside", &source, &[]), 1, &["a MySQL client library is linked into it"]);
}

#[test]
fn the_servers_own_tools_with_a_client_library_inside_and_no_symbol_that_tells_cannot_be_reached() {
    // Packages of `make setup`.
    for tool in ["/usr/bin/mariadb-dump", "/usr/bin/mariadb-admin", "/usr/bin/mariadb"] {
        assert_says(tool, 1, &["a MySQL client library is linked into it"]);
    }
}

#[test]
fn of_a_script_its_interpreter_is_looked_at() {
    let shop = Workshop::new();
    assert_says(shop.file("shell", "#!/bin/sh\n"), 0, &["is a script of /bin/sh"]);
    assert_says(shop.file("perl", "#!/usr/bin/env -S perl -w\n"), 0, &["is a script of ", "/perl"]);
    let fixed = shop.compile("static", NOTHING, &["-static"]);
    let script = shop.file("script", format!("#!{} -x\n", fixed.display()));
    assert_says(&script, 1, &["is a script of", "statically linked"]);
    // The kernel takes no rights from a script.
    shop.allow(&script, 0o4755);
    assert!(!doctor(&script).1.contains("setuid"));
    let outer = shop.file("outer", format!("#!{}\n", script.display()));
    assert_says(&outer, 1, &["outer is a script of", "script is a script of", "statically linked"]);
    let endless = shop.path("endless");
    assert_says(shop.file("endless", format!("#!{}\n", endless.display())), 2, &["script of a script"]);
    assert_says(shop.file("lost", "#!/no/such/interpreter\n"), 2, &["/no/such/interpreter", "no such file"]);
    assert_says(shop.file("empty", "#!\n"), 2, &["names no interpreter"]);
}

#[test]
fn what_is_no_program_for_linux_cannot_be_reached_and_what_is_none_at_all_is_bad_input() {
    let shop = Workshop::new();
    let mut mach_o = vec![0; 64];
    mach_o[..4].copy_from_slice(&0xfeed_facf_u32.to_le_bytes());
    assert_says(shop.file("mach_o", mach_o), 1, &["Mach-O"]);
    assert_says(shop.file("text", "hello"), 1, &["neither a program for Linux nor a script"]);
    assert_says(shop.file("nothing", ""), 1, &["neither"]);
    shop.compile("object.o", NOTHING, &["-c"]);
    shop.allow(&shop.path("object.o"), 0o755);
    assert_says(shop.path("object.o"), 1, &["not linked"]);
    let quiet = shop.file("quiet", "#!/bin/sh\n");
    shop.allow(&quiet, 0o644);
    assert_says(&quiet, 2, &["not executable"]);
    assert_says(shop.path("absent"), 2, &["no such file"]);
    assert_says("no-such-program", 2, &["no such program in PATH"]);
    assert_says(shop.0.path(), 2, &["a directory"]);
    assert_eq!(doctor("").0, Some(2));
}

/// No header may make it fall: whatever it is, the answer is one of three.
#[test]
fn a_broken_program_is_answered_like_any_other() {
    let shop = Workshop::new();
    let whole = fs::read(shop.compile("whole", NOTHING, &[])).unwrap();
    for length in [4, 16, 63, 64, 100, 400, whole.len() / 2] {
        let (code, said) = doctor(shop.file("cut", &whole[..length]));
        assert!(matches!(code, Some(0 | 1)), "{length}: {code:?} {said}");
    }
    for at in (0..1024).step_by(7) {
        let mut content = whole.clone();
        content[at] ^= 0xff;
        let (code, said) = doctor(shop.file("bent", content));
        assert!(matches!(code, Some(0..=2)) && !said.contains("panicked"), "byte {at}: {code:?} {said}");
    }
}

/// A process that says when it is ready, and ends with this.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        Self(child)
    }

    fn doctor(&self) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
        let output = command.args(["doctor", "--pid", &self.0.id().to_string()]).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Our library's place is taken by one that has its name and one of its doors.
#[test]
fn of_a_process_is_said_whether_it_has_the_library_and_what_goes_past_it() {
    let shop = Workshop::new();
    let call = "void *mysql_real_connect(void *, ...); void *call(void) { return mysql_real_connect(0); }";
    let ours = shop.compile("libpointsman.so", "void *mysql_real_connect(void) { return 0; }", &["-shared", "-fPIC"]);
    let plugin = shop.compile("libplugin.so", call, &["-shared", "-fPIC", "-lmariadb"]);
    let host = shop.compile(
        "host",
        "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\n#include <stdlib.h>\n\
         int main(int n, char **words) {\n\
         if (n > 2 && dlopen(words[2], RTLD_NOW | (atoi(words[1]) ? RTLD_DEEPBIND : 0)) == NULL) return 9;\n\
         puts(\"ready\"); fflush(stdout); return getchar() != EOF; }",
        &["-ldl"],
    );
    let start = |preload: &Path, words: &[&str]| {
        let mut command = Command::new(&host);
        command.args(words).env("LD_PRELOAD", preload);
        Running::start(command).doctor()
    };
    let other = shop.compile("libother.so.2", "int other;", &["-shared", "-fPIC"]);
    let (others, gone) = (other.display().to_string(), format!("{}:libgone.so.2", ours.display()));
    let plugin = plugin.to_str().unwrap();
    let (none, nothing) = (Path::new(""), "no MySQL client library is loaded now");
    for (preload, words, code, says) in [
        (&*ours, &["0"][..], 0, nothing),
        (&ours, &["0", plugin], 0, "/libmariadb.so.3 is loaded"),
        (&ours, &["1", plugin], 1, "libplugin.so calls libmariadb.so.3 past the library"),
        (none, &["0", plugin], 1, "libpointsman.so is not loaded: LD_PRELOAD did not name it"),
        (Path::new(&others), &["0"], 1, "libpointsman.so is not loaded: LD_PRELOAD was "),
        (Path::new(&gone), &["0"], 0, "LD_PRELOAD names libgone.so.2, which is not loaded"),
    ] {
        let said = start(preload, words);
        assert!(said.0 == Some(code) && said.1.contains(says), "{words:?}: {said:?}");
    }
    // Lazily bound: nobody has called it yet, so it leads nowhere yet.
    let linked = shop.compile(
        "linked",
        &format!("#include <stdio.h>\n{call} int main(void) {{ puts(\"r\"); fflush(stdout); return getchar(); }}"),
        &["-lmariadb", "-Wl,-z,lazy"],
    );
    let mut command = Command::new(linked);
    command.env("LD_PRELOAD", &ours);
    assert_eq!(Running::start(command).doctor().0, Some(0));
}

#[test]
fn a_process_that_is_not_there_is_bad_input() {
    let output = Command::new(env!("CARGO_BIN_EXE_pointsman")).args(["doctor", "--pid", "4194999"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no such process"));
    for words in [&["doctor"][..], &["doctor", "sh", "--pid", "1"], &["doctor", "--pid", "x"]] {
        assert_eq!(Command::new(env!("CARGO_BIN_EXE_pointsman")).args(words).output().unwrap().status.code(), Some(2));
    }
}
