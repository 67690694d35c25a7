//! Two connections of one program that live through the same history, `programs/c/twins.c`: one is bare, because it names
//! its server by an address, and stays where it is; the other is protected and is moved on the way.
//!
//! Nobody may be able to tell them apart, but for an error that `docs/session.md` names.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    ops::Range,
    path::PathBuf,
    process::{ChildStdin, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use pointsman_lab::{DOMAIN, ENDPOINT, Flavor, Handover, Kept, Lab, PASSWORD, Server, Side, USER};

use super::{
    comparison::{End, Pair},
    grammar::Step,
};
use crate::programs::{
    compile,
    dialogue::Driver,
    run::{self, Preload},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// For so long a server refuses writes.
const MOMENT: Duration = Duration::from_millis(60);

/// Handles of the program.
const BARE: usize = 0;
const ROOT: usize = 1;
const MOVED: usize = 2;

/// Databases of those twins, and of one that goes away early.
const STILL: &str = "still_db";
const SHORT: &str = "short_db";
const MOVING: &str = "moved_db";

/// As many ids are one history's.
const IDS: u64 = 1000;
/// The library looks at a name's servers ten times a second at most, so each history takes another name.
const NAMES: u64 = 40;

/// What a twin was told, call by call; first of its connect.
type Told = Vec<String>;

/// A history, and before which step its connection is moved.
pub type Life<'a> = (&'a [Step], usize);

/// The program. Killed when dropped.
pub struct Twins {
    input: ChildStdin,
    answers: Receiver<String>,
    errors: PathBuf,
    /// The first id of the next history.
    id: u64,
    /// Tables were made or changed in the databases.
    worn: bool,
    flavor: Flavor,
    _process: Kept,
}

impl Twins {
    /// The driver is one of the two C libraries; `None` if this machine does not have it.
    pub fn start(lab: &Lab, driver: Driver) -> Option<Twins> {
        let mut command = match driver {
            Driver::LibMySqlClient => run::sid_command(lab, &compile::mysql_program("twins")?, Preload::Preloaded),
            _ => run::command(lab, compile::mariadb_program("twins"), Preload::Preloaded),
        };
        let errors = lab.directory().join("twins.stderr");
        command.env("POINTSMAN_LOG_LEVEL", "debug");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&errors).unwrap());
        let process = pointsman_lab::spawn(command).unwrap();
        let lines = BufReader::new(process.take_stdout().expect("piped")).lines();
        let (sender, answers) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let input = process.take_stdin().expect("piped");
        let twins = Twins { input, answers, errors, id: 0, worn: true, flavor: lab.blue().flavor(), _process: process };
        let grants = [STILL, SHORT, MOVING].map(|db| format!("GRANT ALL ON `{db}%`.* TO {USER}@'%'"));
        lab.blue().sql(&grants.join("; ")).unwrap();
        for number in 0..NAMES {
            lab.dns().set(&format!("h{number}.{DOMAIN}"), &[lab.blue().ip()], 60).unwrap();
        }
        Some(twins)
    }

    fn connect_root(&mut self, server: &Server) {
        let told = self.tell(&[format!("connect {ROOT} - 0 {} root - -", server.socket().display())]);
        assert!(told[0].starts_with("[ok]"), "{}", told[0]);
    }

    /// Says commands all at once; every command's answer.
    fn tell(&mut self, commands: &[String]) -> Told {
        let mut text = commands.join("\n");
        text.push('\n');
        self.input.write_all(text.as_bytes()).expect("the program listens");
        let answer = |_| {
            self.answers
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|why| panic!("no answer ({why}): {}\n{commands:#?}", self.stderr()))
        };
        commands.iter().map(answer).collect()
    }

    /// Both live through the steps; before one of them the server ends the moved one's idle connection.
    pub fn with_a_kill(&mut self, lab: &Lab, life: Life<'_>) -> Result<End, String> {
        self.killed(lab, life).map_err(|why| self.with_last_words(why))
    }

    fn killed(&mut self, lab: &Lab, life: Life<'_>) -> Result<End, String> {
        let (steps, at) = life;
        if self.id == 0 {
            self.connect_root(lab.blue());
        }
        let address = lab.blue().ip().to_string();
        let mut batch = self.fresh(&[STILL, MOVING, SHORT], steps);
        let bare = batch.life(BARE, &address, STILL, steps, None);
        let name = format!("h{}.{DOMAIN}", self.id / IDS % NAMES);
        let moved = batch.life(MOVED, &name, MOVING, steps, Some(at));
        let [still, moving] = [STILL, MOVING].map(|db| batch.add(content(db)));
        let told = self.tell(&batch.commands);
        let bare = as_of(&told[bare], STILL);
        let mut moved = as_of(&told[moved], MOVING);
        // Its own answer is no part of the history.
        let killed = moved.remove(at + 1);
        if !killed.starts_with("gone") {
            return Err(format!("it was not killed: {killed}"));
        }
        let pair = Pair { steps, at, bare: &bare, moved: &moved };
        let made = told[moving].replace(MOVING, "{db}");
        let Some(first) = pair.first_difference() else {
            return pair.alike(&told[still].replace(STILL, "{db}"), &made);
        };
        let reason = pair.reason_for_a_loss(first)?;
        self.is_as_if_gone_away(&address, SHORT, &pair, first, &made)?;
        Ok(End::Lost(reason))
    }

    /// Both live through the steps; before one of them the moved one's server begins to refuse writes, for a moment. Nobody
    /// takes its place.
    pub fn with_a_blip(&mut self, lab: &Lab, life: Life<'_>) -> Result<End, String> {
        self.refused(lab, life).map_err(|why| self.with_last_words(why))
    }

    fn refused(&mut self, lab: &Lab, (steps, at): Life<'_>) -> Result<End, String> {
        let server = lab.blue();
        if self.id == 0 {
            self.connect_root(server);
        }
        let address = server.ip().to_string();
        let mut batch = self.fresh(&[STILL, MOVING, SHORT], steps);
        let bare = batch.life(BARE, &address, STILL, steps, None);
        let name = format!("h{}.{DOMAIN}", self.id / IDS % NAMES);
        let begin = batch.add(format!("connect {MOVED} {name} 3306 - {USER} {PASSWORD} {MOVING}"));
        batch.steps(MOVED, MOVING, &steps[..at]);
        let before = begin..batch.commands.len();
        let first = self.tell(&batch.commands);

        server.set_read_only(true).unwrap();
        let mut batch = Batch { id: self.id, ..Batch::default() };
        let begin = batch.add(format!("give_up {MOVED}")) + 1;
        batch.steps(MOVED, MOVING, &steps[at..]);
        let after = begin..batch.commands.len();
        batch.add(format!("close {MOVED}"));
        let [still, moving] = [STILL, MOVING].map(|db| batch.add(content(db)));
        let second = std::thread::scope(|scope| {
            let end = scope.spawn(|| {
                std::thread::sleep(MOMENT);
                server.set_read_only(false).unwrap();
            });
            let told = self.tell(&batch.commands);
            end.join().expect("the server takes writes again");
            told
        });

        let bare = as_of(&first[bare], STILL);
        let mut moved = as_of(&first[before], MOVING);
        moved.extend(as_of(&second[after], MOVING));
        let [kept, made] = [(still, STILL), (moving, MOVING)].map(|(place, db)| second[place].replace(db, "{db}"));
        let pair = Pair { steps, at, bare: &bare, moved: &moved };
        let Some(first) = pair.first_difference() else { return pair.alike(&kept, &made) };
        let reason = pair.reason_for_an_end(first)?;
        self.is_as_if_gone_away(&address, SHORT, &pair, first, &made)?;
        Ok(End::Lost(reason))
    }

    /// Each lives through its steps on two connections, of which a switchover moves one. Gives each one's end.
    pub fn with_a_switchover(
        &mut self,
        lab: &Lab,
        handover: Handover,
        writer: Side,
        lives: &[Life<'_>],
    ) -> Vec<Result<End, String>> {
        let databases = |of: &str| (0..lives.len()).map(|number| format!("{of}{number:02}")).collect::<Vec<_>>();
        let [still, moving, short] = [STILL, MOVING, SHORT].map(databases);
        let all: Vec<_> = still.iter().chain(&moving).chain(&short).map(String::as_str).collect();
        let address = lab.server(writer).ip().to_string();
        self.connect_root(lab.server(writer));
        let mut batch = self.fresh(&all, &[]);
        let bare: Vec<_> =
            lives.iter().zip(&still).map(|((steps, _), db)| batch.life(BARE, &address, db, steps, None)).collect();
        let mut before = Vec::new();
        for (handle, ((steps, at), db)) in (MOVED..).zip(lives.iter().zip(&moving)) {
            let begin = batch.add(format!("connect {handle} {ENDPOINT} 3306 - {USER} {PASSWORD} {db}"));
            batch.steps(handle, db, &steps[..*at]);
            before.push(begin..batch.commands.len());
        }
        batch.add(format!("close {ROOT}"));
        let first = self.tell(&batch.commands);

        handover.scenario(writer, Duration::ZERO).run(lab, &mut |_| {}).unwrap();
        let writer = lab.server(writer.other());
        self.connect_root(writer);
        let mut batch = Batch { id: self.id, ..Batch::default() };
        let mut after = Vec::new();
        for (handle, ((steps, at), db)) in (MOVED..).zip(lives.iter().zip(&moving)) {
            let begin = batch.add(format!("give_up {handle}")) + 1;
            batch.steps(handle, db, &steps[*at..]);
            after.push(begin..batch.commands.len());
            batch.add(format!("close {handle}"));
        }
        let contents: Vec<_> = still.iter().chain(&moving).map(|db| batch.add(content(db))).collect();
        let second = self.tell(&batch.commands);

        let mut ends = Vec::new();
        let address = writer.ip().to_string();
        for (number, (steps, at)) in lives.iter().enumerate() {
            let (db, own) = (&still[number], &moving[number]);
            let bare = as_of(&first[bare[number].clone()], db);
            let mut moved = as_of(&first[before[number].clone()], own);
            moved.extend(as_of(&second[after[number].clone()], own));
            let kept = second[contents[number]].replace(db, "{db}");
            let made = second[contents[lives.len() + number]].replace(own, "{db}");
            let pair = Pair { steps, at: *at, bare: &bare, moved: &moved };
            ends.push(match pair.first_difference() {
                None => pair.alike(&kept, &made),
                Some(first) => pair.reason_for_an_end(first).and_then(|reason| {
                    self.is_as_if_gone_away(&address, &short[number], &pair, first, &made)?;
                    Ok(End::Lost(reason))
                }),
            });
        }
        let ends = ends.into_iter().map(|end| end.map_err(|why| self.with_last_words(why))).collect();
        self.tell(&[format!("close {ROOT}")]);
        ends
    }

    /// Nothing else happened: the tables are those of a connection that went away before that step; or, where a text of several
    /// statements was refused as a whole and the connection went on, those of one that left out what failed.
    fn is_as_if_gone_away(
        &mut self,
        address: &str,
        db: &str,
        pair: &Pair<'_>,
        step: usize,
        made: &str,
    ) -> Result<(), String> {
        let short = self.tables_after(address, db, &pair.steps[..step], false);
        if short == made {
            return Ok(());
        }
        let went_through = |at: &usize| !["[error ", "[ended]"].iter().any(|end| pair.moved[at + 1].starts_with(end));
        let rest: Vec<_> = (0..pair.steps.len()).filter(went_through).map(|at| pair.steps[at].clone()).collect();
        if pair.steps[step].rest.contains("; ") && self.tables_after(address, db, &rest, true) == made {
            return Ok(());
        }
        Err(format!(
            "lost before step {step}, but the tables: {short}\n  moved: {made}\n  its answers: {:#?}",
            pair.moved
        ))
    }

    /// What is in the tables when these steps were lived through, in the database as it is or as new.
    fn tables_after(&mut self, address: &str, db: &str, steps: &[Step], anew: bool) -> String {
        let mut batch = Batch { id: self.id, ..Batch::default() };
        if anew {
            batch.add(format!("query {ROOT} {}{}", creation(db, self.flavor), filling(db, self.id, self.flavor)));
        }
        batch.life(BARE, address, db, steps, None);
        let content = batch.add(content(db));
        self.tell(&batch.commands)[content].replace(db, "{db}")
    }

    /// Commands that begin with databases as new.
    fn fresh(&mut self, databases: &[&str], steps: &[Step]) -> Batch {
        self.id += IDS;
        let mut batch = Batch { id: self.id, ..Batch::default() };
        // A server's open tables remember the auto_increment_increment of the session that used them last, and count with it
        // when rows with given ids come.
        batch.add(format!("query {ROOT} FLUSH LOCAL TABLES"));
        for db in databases {
            let creation = if self.worn { creation(db, self.flavor) } else { String::new() };
            batch.add(format!("query {ROOT} {creation}{}", filling(db, self.id, self.flavor)));
        }
        self.worn = steps.iter().any(Step::changes_tables);
        batch
    }

    /// And what the library said last.
    fn with_last_words(&self, why: String) -> String {
        let said = self.stderr();
        format!("{why}\n  {}", said.lines().last().unwrap_or("(the library said nothing)"))
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap_or_default()
    }
}

/// Commands that are said at once.
#[derive(Default)]
struct Batch {
    commands: Vec<String>,
    /// The first id in the databases.
    id: u64,
}

impl Batch {
    /// Gives the place of its answer.
    fn add(&mut self, command: String) -> usize {
        self.commands.push(command);
        self.commands.len() - 1
    }

    /// A connection from its beginning to its end. Gives the places of the answers: the connect's, and each step's.
    fn life(&mut self, handle: usize, host: &str, db: &str, steps: &[Step], killed: Option<usize>) -> Range<usize> {
        let begin = self.add(format!("connect {handle} {host} 3306 - {USER} {PASSWORD} {db}"));
        let (before, after) = steps.split_at(killed.unwrap_or(0));
        self.steps(handle, db, before);
        if killed.is_some() {
            self.add(format!("kill {handle} {ROOT}"));
        }
        self.steps(handle, db, after);
        let end = self.commands.len();
        self.add(format!("close {handle}"));
        begin..end
    }

    fn steps(&mut self, handle: usize, db: &str, steps: &[Step]) {
        for step in steps {
            let rest = step.rest.replace("{db}", db).replace("{id}", &self.id.to_string());
            self.add(format!("{} {handle} {rest}", step.verb));
        }
    }
}

/// SQL that makes the database and its other one.
fn creation(db: &str, flavor: Flavor) -> String {
    let mut text = String::new();
    for db in [db, &format!("{db}o")] {
        text += &format!(
            "DROP DATABASE IF EXISTS {db}; CREATE DATABASE {db} CHARACTER SET utf8mb4; CREATE TABLE {db}.t \
             (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(30), n INT UNIQUE); CREATE TABLE {db}.u (v VARCHAR(30)); \
             CREATE VIEW {db}.w AS SELECT id, v, n FROM {db}.t WHERE n < 50; "
        );
        if flavor == Flavor::MariaDb {
            text += &format!("CREATE SEQUENCE {db}.q NOCACHE; ");
        }
    }
    text
}

/// SQL that fills the database anew. Ids begin at `id`, which is greater than any before: that sets the counter of
/// generated ids without a change of the table, which would take longer than all the rest.
fn filling(db: &str, id: u64, flavor: Flavor) -> String {
    let mut text = String::new();
    for db in [db, &format!("{db}o")] {
        let rows = format!("({id}, 'eins', 1), ({id} + 1, 'zwei', 2), ({id} + 2, 'drei', 3)");
        text += &format!("DELETE FROM {db}.t; DELETE FROM {db}.u; INSERT INTO {db}.t VALUES {rows}; ");
        if flavor == Flavor::MariaDb {
            // Never backwards: it is greater than any that was drawn before.
            text += &format!("DO SETVAL({db}.q, {id}); ");
        }
    }
    text
}

/// What is committed in the database, as root sees it.
fn content(db: &str) -> String {
    format!("query {ROOT} SELECT * FROM {db}.t ORDER BY id; SELECT * FROM {db}.u; SHOW TABLES FROM {db}")
}

/// Answers in which the database has no name.
fn as_of(told: &[String], db: &str) -> Told {
    told.iter().map(|answer| answer.replace(db, "{db}")).collect()
}
