//! The bank of `programs/python/bank.py` while it runs, and what its workers said.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pointsman_lab::{Kept, Lab};

use super::run::{Preload, mysqldb_program};
use crate::wait_for;

const END: Duration = Duration::from_secs(60);

/// What was said so far.
#[derive(Debug, Default)]
pub struct Record {
    /// Transfers that are stored, as far as the workers know.
    pub stored: BTreeSet<String>,
    /// Of each worker.
    pub transfers: BTreeMap<u32, u64>,
    /// Attempts of which they know that they are not stored.
    pub failed: BTreeSet<String>,
    /// Transactions that got through on another connection than they began on, by the stage.
    pub carried: BTreeMap<String, u64>,
    /// 1213 in the library's words, by the stage.
    pub victims: BTreeMap<String, u64>,
    /// All other failures, by stage and error.
    pub failures: BTreeMap<(String, u32), u64>,
    /// COMMITs whose answer was lost: the transfer was found, or not.
    pub unknown: [u64; 2],
    pub counters: BTreeMap<String, u64>,
    /// What should never be said.
    pub wrong: Vec<String>,
}

impl Record {
    fn hear(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            [worker, what @ ("acked" | "found"), id] => {
                if !self.stored.insert(id.to_owned()) {
                    self.wrong.push(line.to_owned());
                }
                *self.transfers.entry(worker.parse().expect("a worker's number")).or_default() += 1;
                self.unknown[0] += u64::from(what == "found");
            }
            [_, "missing", id] => {
                self.unknown[1] += 1;
                self.failed.insert(id.to_owned());
            }
            [_, "failed", id, stage, error] => {
                self.failed.insert(id.to_owned());
                let error = error.parse().expect("an error's number");
                *self.failures.entry((stage.to_owned(), error)).or_default() += 1;
            }
            [_, "carried", stage] => *self.carried.entry(stage.to_owned()).or_default() += 1,
            [_, "victim", stage] => *self.victims.entry(stage.to_owned()).or_default() += 1,
            ["counter", name, value] => {
                self.counters.insert(name.to_owned(), value.parse().expect("a counter's value"));
            }
            _ => self.wrong.push(line.to_owned()),
        }
    }

    /// How often transactions failed with one of the errors before their COMMIT was sent.
    pub fn failed_open(&self, errors: &[u32]) -> u64 {
        let open = self.failures.iter().filter(|((stage, error), _)| stage == "open" && errors.contains(error));
        open.map(|(_, count)| count).sum()
    }
}

/// A running bank; killed when dropped.
pub struct Bank {
    process: Kept,
    record: Arc<Mutex<Record>>,
    reader: std::thread::JoinHandle<()>,
    stderr: PathBuf,
    workers: u32,
}

impl Bank {
    pub fn open(lab: &Lab, workers: u32, accounts: u32, seed: u64) -> Bank {
        let stderr = lab.directory().join("bank.stderr");
        let mut command = mysqldb_program(lab, "python/bank.py", Preload::Preloaded);
        command
            .env("BANK_WORKERS", workers.to_string())
            .env("BANK_ACCOUNTS", accounts.to_string())
            .env("BANK_SEED", seed.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&stderr).unwrap());
        let process = pointsman_lab::spawn(command).unwrap();
        let lines = BufReader::new(process.take_stdout().expect("piped")).lines();
        let record = Arc::<Mutex<Record>>::default();
        let heard = Arc::clone(&record);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                locked(&heard).hear(&line);
            }
        });
        Bank { process, record, reader, stderr, workers }
    }

    /// Waits until every worker has got through from now on, and all of them `more` times together.
    pub fn wait_for_transfers(&self, more: u64) {
        let before = self.record().transfers.clone();
        let sum = |transfers: &BTreeMap<u32, u64>| transfers.values().sum::<u64>();
        wait_for("transfers of every worker", || {
            let record = self.record();
            assert!(record.wrong.is_empty(), "{:?}; {}", record.wrong, self.stderr());
            let through = record.transfers.iter().filter(|(worker, count)| before.get(worker) < Some(count)).count();
            through as u32 == self.workers && sum(&record.transfers) >= sum(&before) + more
        });
    }

    /// Ends it in good order.
    pub fn close(self) -> Record {
        drop(self.process.take_stdin());
        let status = self.process.wait(END).unwrap_or_else(|error| panic!("{error}; {}", self.stderr()));
        self.reader.join().expect("the reader ends with the program");
        assert!(status.success(), "{status}: {}", std::fs::read_to_string(&self.stderr).unwrap_or_default());
        std::mem::take(&mut *locked(&self.record))
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        locked(&self.record)
    }
}

fn locked(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}
