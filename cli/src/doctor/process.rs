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
    let preload = preload(&proc);
    let is_missing = |name: &&str| !objects.iter().any(|object| object.is_called(name));
    let missing = preload.split([':', ' ']).filter(|name| !name.is_empty() && !name.contains(OURS)).filter(is_missing);
    findings.remarks = missing.map(|name| format!("LD_PRELOAD names {name}, which is not loaded")).collect();
    if !objects.iter().any(|object| object.name().starts_with(OURS)) {
        // What keeps it out of the program, if anything does.
        findings.obstacles = of_file(&proc.join("exe"))?;
        findings.obstacles.push(Obstacle::NotLoaded { preload });
        return Ok(findings);
    }
    let clients: Vec<_> = objects.iter().filter(|object| needs::is_client_library(object.name())).collect();
    findings.remarks.extend(clients.iter().map(|client| format!("{} is loaded", client.path.display())));
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

/// LD_PRELOAD as the process was started with it. Nothing else of its environment is looked at.
fn preload(proc: &Path) -> String {
    let environment = fs::read(proc.join("environ")).unwrap_or_default();
    let value = environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(b"LD_PRELOAD="));
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
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

    /// Is it what LD_PRELOAD names so? A link has another name than its file, and a version may follow.
    fn is_called(&self, name: &str) -> bool {
        let file = Path::new(name).file_name().and_then(|name| name.to_str()).unwrap_or(name);
        let linked = fs::canonicalize(name).is_ok_and(|path| path == self.path);
        linked || self.name().starts_with(file.split(".so").next().unwrap_or(file))
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
