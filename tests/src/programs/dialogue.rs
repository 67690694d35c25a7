//! A running client program that is told what to do, line by line: `programs/c/client.c` and its likes.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use pointsman_lab::{DATABASE, Lab, PASSWORD, USER};

use super::{
    compile,
    run::{self, Preload},
    standstill,
};

/// Longer than anything here takes, and shorter than a reader's patience.
const PATIENCE: Duration = Duration::from_secs(40);

/// Which client program; all take the same commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    LibMariaDb,
    LibMySqlClient,
    Mysql2,
    MySqlDb,
    Dbd,
}

/// A client program; killed when dropped.
pub struct Dialogue {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<String>,
    errors: PathBuf,
}

impl Driver {
    /// Whether this machine has it; says so if not.
    pub fn is_available(self) -> bool {
        let available = self != Self::LibMySqlClient || compile::mysql_program("client").is_some();
        if !available {
            println!("skipped: no root with Debian sid, whose libmysqlclient this needs: run `make setup`");
        }
        available
    }

    /// A command that runs its program.
    pub fn command(self, lab: &Lab, preload: Preload) -> Command {
        let script = |interpreter: &str, name: &str| run::script(lab, interpreter, name, preload);
        match self {
            Self::LibMariaDb => run::command(lab, compile::mariadb_program("client"), preload),
            Self::LibMySqlClient => {
                let program = compile::mysql_program("client").expect("available");
                run::sid_command(lab, &program, preload)
            }
            Self::Mysql2 => script("/usr/bin/ruby", "ruby/client.rb"),
            Self::MySqlDb => script("/usr/bin/python3", "python/client.py"),
            Self::Dbd => script("/usr/bin/perl", "perl/client.pl"),
        }
    }
}

impl Dialogue {
    /// `client.c`, with the library at its most talkative if it is preloaded.
    pub fn start(lab: &Lab, preload: Preload) -> Self {
        Self::with(lab, Driver::LibMariaDb, preload, |_| {})
    }

    pub fn with(lab: &Lab, driver: Driver, preload: Preload, set_up: impl FnOnce(&mut Command)) -> Self {
        let mut command = driver.command(lab, preload);
        set_up(&mut command);
        Self::of(lab, command)
    }

    /// Another program that answers each line with one.
    pub fn of(lab: &Lab, mut command: Command) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let errors = lab.directory().join(format!("dialogue-{}-{number}", std::process::id()));
        let file = File::create(&errors).expect("a file for standard error");
        if command.get_envs().all(|(name, _)| name != "POINTSMAN_LOG_LEVEL") {
            command.env("POINTSMAN_LOG_LEVEL", "debug");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut child = command.spawn().expect("the client program can be started");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, answers) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, input, answers, errors }
    }

    /// Opens handle `number` to a host name or address on the lab's port, with the lab's account.
    pub fn connect(&mut self, number: u32, host: &str) -> String {
        self.ask(&format!("connect {number} {host} 3306 - {USER} {PASSWORD} {DATABASE}"))
    }

    /// Its directory in /proc.
    pub fn proc(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.child.id()))
    }

    /// Runs a statement on handle 0.
    pub fn query(&mut self, text: &str) -> String {
        self.ask(&format!("query 0 {text}"))
    }

    pub fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.answer()
    }

    /// Says a command whose answer is fetched later.
    pub fn tell(&mut self, command: &str) {
        let input = self.input.as_mut().expect("open until the dialogue is finished");
        // In one piece: what a program has read of a line is lost if a signal interrupts it before the rest is there.
        if let Err(why) = input.write_all(format!("{command}\n").as_bytes()) {
            let ended = self.child.wait();
            panic!("the client program does not listen ({why}, {ended:?}); {}", self.stderr());
        }
    }

    pub fn answer(&mut self) -> String {
        self.answers.recv_timeout(PATIENCE).unwrap_or_else(|why| {
            let waits = standstill::of(self.child.id());
            let end = self.child.try_wait();
            panic!("no answer ({why}), {end:?}; its threads and children:\n{waits}{}", self.stderr())
        })
    }

    /// Every command's answer.
    pub fn all(&mut self, commands: &[&str]) -> Vec<String> {
        commands.iter().map(|command| self.ask(command)).collect()
    }

    /// One of the library's counters; only `client.c` knows them.
    pub fn counter(&mut self, name: &str) -> u64 {
        let counters = self.ask("counters");
        let value = counters.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {counters}"))
    }

    /// Asserts that handle 0 is protected: its server ends the idle connection, and the next statement succeeds.
    pub fn assert_protected(&mut self, lab: &Lab) {
        let id = self.ask("id 0");
        lab.blue().sql(&format!("KILL {id}")).expect("an administrator may");
        assert_eq!(self.ask("gone 0"), "gone");
        assert_eq!(self.query("SELECT 1"), "rows 1", "{}", self.stderr());
    }

    /// The library's lines so far.
    pub fn log(&self) -> Vec<String> {
        run::split_log(&self.stderr()).0
    }

    /// The file that takes its standard error.
    pub fn errors(&self) -> &Path {
        &self.errors
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap_or_default()
    }

    /// Ends its input and waits for its end; the exit code.
    pub fn finish(mut self) -> Option<i32> {
        drop(self.input.take());
        self.child.wait().expect("our own child").code()
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
