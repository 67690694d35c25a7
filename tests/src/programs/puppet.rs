//! A real application whose every call the test decides, driven line by line: `puppet.py` (MySQLdb, which calls libmariadb),
//! or on MySQL `puppet.c` with libmysqlclient, so that every test of both servers is one of both client libraries, too.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::Duration,
};

use pointsman_lab::{Flavor, Kept, Lab};

use super::{
    compile,
    run::{self, Preload, mysqldb_program, with_lab},
    standstill,
};

/// No answer for this long: something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Puppet {
    orders: ChildStdin,
    answers: HashMap<&'static str, Receiver<String>>,
    speakers: Sender<(&'static str, Sender<String>)>,
    stderr: std::path::PathBuf,
    process: Kept,
}

impl Puppet {
    /// Protected, with the given variables in its environment.
    pub fn start(lab: &Lab, variables: &[(&str, &str)]) -> Puppet {
        Self::start_as(lab, Preload::Preloaded, variables)
    }

    /// The same program without the library, to compare with.
    pub fn bare(lab: &Lab) -> Puppet {
        Self::start_as(lab, Preload::Bare, &[])
    }

    /// With the library, or as without us.
    pub fn start_as(lab: &Lab, preload: Preload, variables: &[(&str, &str)]) -> Puppet {
        let libmysqlclients =
            (lab.blue().flavor() == Flavor::MySql).then(|| compile::mysql_program("puppet")).flatten();
        let command = match libmysqlclients {
            Some(program) => with_lab(lab, run::sid_command(lab, &program, preload)),
            None => mysqldb_program(lab, "python/puppet.py", preload),
        };
        Self::of(lab, command, variables)
    }

    /// Driven through this command, which runs `puppet.py`.
    pub fn of(lab: &Lab, mut command: Command, variables: &[(&str, &str)]) -> Puppet {
        let stderr = lab.directory().join(format!("puppet-{}.stderr", pointsman_lab::monotonic_us()));
        command
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&stderr).unwrap());
        let process = pointsman_lab::spawn(command).unwrap();
        let orders = process.take_stdin().unwrap();
        let lines = BufReader::new(process.take_stdout().unwrap()).lines();
        let (speakers, arrivals) = mpsc::channel::<(&'static str, Sender<String>)>();
        thread::spawn(move || {
            let mut senders: HashMap<&'static str, Sender<String>> = HashMap::new();
            for line in lines.map_while(Result::ok) {
                senders.extend(arrivals.try_iter());
                if let Some((name, answer)) = line.split_once(' ')
                    && let Some(sender) = senders.get(name)
                {
                    let _ = sender.send(answer.to_owned());
                }
            }
        });
        Puppet { orders, answers: HashMap::new(), speakers, stderr, process }
    }

    /// Opens a connection under a name.
    pub fn connect(&mut self, name: &'static str) {
        assert_eq!(self.ask(name, "connect", "-"), "ok 'connected'");
    }

    /// Runs a statement and gives `ok ROWS`, `ok (AFFECTED, ID)` or `error NUMBER TEXT`.
    pub fn query(&mut self, name: &'static str, text: &str) -> String {
        self.ask(name, "query", text)
    }

    pub fn ask(&mut self, name: &'static str, operation: &str, argument: &str) -> String {
        self.begin(name, operation, argument);
        self.answer(name)
    }

    /// What a pool does: runs the statement on the connection, and after an error once more on a new one.
    pub fn pooled(&mut self, name: &'static str, text: &str) -> String {
        let first = self.query(name, text);
        if first.starts_with("ok") {
            return first;
        }
        let connected = self.ask(name, "connect", "-");
        if connected.starts_with("ok") { self.query(name, text) } else { connected }
    }

    /// Sends an order without waiting for the answer.
    pub fn begin(&mut self, name: &'static str, operation: &str, argument: &str) {
        self.answers.entry(name).or_insert_with(|| {
            let (sender, receiver) = mpsc::channel();
            self.speakers.send((name, sender)).unwrap();
            receiver
        });
        writeln!(self.orders, "{name} {operation} {argument}").unwrap();
    }

    pub fn answer(&mut self, name: &'static str) -> String {
        self.answers[name].recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let waits = standstill::of(self.process.id());
            panic!("no answer; its threads and children:\n{waits}stderr: {}", self.stderr())
        })
    }

    /// The answer, if it has come already.
    pub fn answer_if_there(&mut self, name: &'static str) -> Option<String> {
        self.answers[name].try_recv().ok()
    }

    /// True if no answer has come yet.
    pub fn is_waiting(&mut self, name: &'static str) -> bool {
        self.answers[name].try_recv().is_err()
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Waits until the program has logged `text`.
    pub fn wait_for_log(&self, text: &str) {
        let until = std::time::Instant::now() + PATIENCE;
        while !self.stderr().contains(text) {
            assert!(std::time::Instant::now() < until, "never logged {text:?}: {}", self.stderr());
            thread::sleep(Duration::from_millis(10));
        }
    }
}
