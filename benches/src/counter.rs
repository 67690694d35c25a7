//! How much a server has done so far, asked on one connection: a client for each question would take longer than what is
//! counted.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{ChildStdin, ChildStdout, Stdio},
};

use pointsman_lab::{Kept, Server, USER, spawn};

pub struct Counter {
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    asked: u64,
    _client: Kept,
}

impl Counter {
    pub fn of(server: &Server) -> Self {
        let mut command = server.client().expect("a client of the server");
        command.arg("--unbuffered").stdin(Stdio::piped()).stdout(Stdio::piped());
        let client = spawn(command).expect("the client can be started");
        let questions = client.take_stdin().expect("it was asked for");
        let answers = BufReader::new(client.take_stdout().expect("it was asked for")).lines();
        Counter { questions, answers, asked: 0, _client: client }
    }

    /// Texts and executions of others that were sent to it, once it has nothing left to do.
    pub fn statements(&mut self) -> u64 {
        let mut before = None;
        loop {
            let all = self.number("SHOW GLOBAL STATUS LIKE 'Questions'");
            let of_others = all - self.asked;
            if before.replace(of_others) == Some(of_others) {
                return of_others;
            }
        }
    }

    /// Connections of those that are measured.
    pub fn connections(&mut self) -> u64 {
        self.number(&format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{USER}'"))
    }

    /// The last word of the only row.
    fn number(&mut self, question: &str) -> u64 {
        self.asked += 1;
        writeln!(self.questions, "{question};").expect("the client listens");
        let row = self.answers.next().expect("the client answers").expect("a row");
        row.split_whitespace().last().and_then(|word| word.parse().ok()).expect("a number")
    }
}
