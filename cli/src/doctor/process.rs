//! A running process: which libraries it has, and whether its calls of a client library come by ours. Its memory is read
//! and nothing is changed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::read::elf::ElfFile64;

use super::{Findings, Obstacle, elf, needs, of_file, program::BadInput};

const OURS: &str = "libpointsman.so";

pub fn examine(pid: u32) -> Result<Findings, BadInput> {
    let refused = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => BadInput::NoProcess(pid),
        _ => BadInput::NotAllowed(pid, error),
    };
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let maps = fs::read_to_string(proc.join("maps")).map_err(refused)?;
    let program = fs::read_link(proc.join("exe")).map_err(refused)?;
    let objects = Mapped::all(&maps);
    let mut findings =
        Findings { subject: format!("process {pid} ({})", program.display()), remarks: vec![], obstacles: vec![] };
    if !objects.iter().any(|object| object.name().starts_with(OURS)) {
        // What keeps it out of the program, if anything does.
        findings.obstacles = of_file(&proc.join("exe"))?;
        findings.obstacles.push(Obstacle::NotLoaded);
        return Ok(findings);
    }
    let clients: Vec<_> = objects.iter().filter(|object| needs::is_client_library(object.name())).collect();
    findings.remarks = clients.iter().map(|client| format!("{} is loaded", client.path.display())).collect();
    if clients.is_empty() {
        findings.remarks.push("no MySQL client library is loaded now".to_owned());
    }
    let memory = File::open(proc.join("mem")).map_err(refused)?;
    for object in &objects {
        let places = object.connects(&proc, &memory);
        let past = clients.iter().find(|client| places.iter().any(|address| client.holds(*address)));
        if let Some(library) = past {
            let [caller, library] = [object, library].map(|object| object.name().to_owned());
            findings.obstacles.push(Obstacle::DeepBound { caller, library });
        }
    }
    Ok(findings)
}

/// A file that is mapped, with all its places in memory.
struct Mapped {
    path: PathBuf,
    places: Vec<(u64, u64)>,
}

impl Mapped {
    /// proc_pid_maps(5): `START-END RIGHTS OFFSET DEVICE INODE PATH`.
    fn all(maps: &str) -> Vec<Self> {
        let mut files = BTreeMap::<PathBuf, Vec<(u64, u64)>>::new();
        for line in maps.lines() {
            let mut words = line.splitn(6, ' ');
            let place = words.next().and_then(|range| range.split_once('-'));
            let number = |text| u64::from_str_radix(text, 16).ok();
            let path = words.last().map(str::trim_start).filter(|path| path.starts_with('/'));
            if let (Some((start, end)), Some(path)) = (place, path)
                && let (Some(start), Some(end)) = (number(start), number(end))
            {
                files.entry(path.into()).or_default().push((start, end));
            }
        }
        files.into_iter().map(|(path, places)| Self { path, places }).collect()
    }

    /// Of a file that was removed or replaced since, too.
    fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    fn holds(&self, address: u64) -> bool {
        self.places.iter().any(|(start, end)| (*start..*end).contains(&address))
    }

    /// Where its calls that open a connection lead.
    fn connects(&self, proc: &Path, memory: &File) -> Vec<u64> {
        // As the process sees it: it may have a root of its own.
        let inside = proc.join("root").join(self.path.strip_prefix("/").unwrap_or(&self.path));
        let Ok(content) = fs::read(inside) else { return vec![] };
        let Ok(file) = ElfFile64::<Endianness>::parse(&*content) else { return vec![] };
        let Some(base) = self.places.iter().map(|(start, _)| *start).min() else { return vec![] };
        let read = |slot: u64| {
            let mut address = [0; 8];
            memory.read_exact_at(&mut address, base.checked_add(slot)?).ok()?;
            Some(u64::from_le_bytes(address))
        };
        elf::connect_slots(&file).into_iter().filter_map(read).collect()
    }
}
