//! The files of a run that went wrong: what was done, what was said, what was recorded.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use super::draw::Draw;
use super::pair::Pair;
use super::run::Seen;

/// Writes them into a directory named after the run's seed.
pub fn keep(out: &Path, draw: &Draw, pair: &Pair) -> Result<PathBuf, (PathBuf, io::Error)> {
    let directory = out.join(format!("{:016x}", draw.seed));
    let summary = format!(
        "{draw}\n{}\n\nPROTECTED\n{}\nBARE\n{}",
        pair.judgement.reasons.join("\n"),
        summary(draw, &pair.protected),
        summary(draw, &pair.bare)
    );
    let seen = &pair.protected;
    let write = || -> io::Result<()> {
        std::fs::create_dir_all(&directory)?;
        std::fs::write(directory.join("summary.txt"), summary)?;
        std::fs::write(directory.join("history.csv"), history(seen))?;
        std::fs::write(directory.join("bare-history.csv"), history(&pair.bare))?;
        std::fs::write(directory.join("stderr.txt"), &seen.stderr)?;
        seen.servers.iter().try_for_each(|(name, log)| std::fs::write(directory.join(format!("{name}.log")), log))
    };
    match write() {
        Ok(()) => Ok(directory),
        Err(error) => Err((directory, error)),
    }
}

fn summary(draw: &Draw, seen: &Seen) -> String {
    let audit = &seen.audit;
    let mut summary = format!("{}\n(the story began at {} us)\n\n", seen.timeline, seen.timeline.started_us);
    let _ = writeln!(summary, "{audit}\n{}", seen.stall(draw));
    for (name, keys) in [("lost", &audit.lost), ("doubled", &audit.doubled), ("torn", &audit.torn)] {
        if !keys.is_empty() {
            let _ = writeln!(summary, "{name} (worker, number): {keys:?}");
        }
    }
    summary
}

fn history(seen: &Seen) -> String {
    let mut history = String::from("worker,seq,kind,start_us,end_us,outcome,errno,message\n");
    for line in &seen.history.statements {
        let (kind, outcome) = (format!("{:?}", line.kind).to_lowercase(), format!("{:?}", line.outcome).to_lowercase());
        let (start, end) = (line.start_us, line.end_us);
        let (worker, seq, errno, message) = (line.worker, line.seq, line.errno, &line.message);
        let _ = writeln!(history, "{worker},{seq},{kind},{start},{end},{outcome},{errno},{message}");
    }
    history
}
