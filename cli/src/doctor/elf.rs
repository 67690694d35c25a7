//! What an executable says of itself: whom it was made for, what loads it, and what it was made with.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use object::elf::{EM_AARCH64, EM_X86_64, ET_DYN, ET_EXEC};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, FileKind, Object, ObjectSymbol, ObjectSymbolTable};

use super::{Obstacle, needs};

/// What every client library has, and whoever uses one names.
const CONNECT: &str = "mysql_real_connect";

pub fn obstacles(content: &[u8]) -> Vec<Obstacle> {
    let what = match FileKind::parse(content) {
        Ok(FileKind::Elf64) => match ElfFile64::<Endianness>::parse(content) {
            Ok(file) => return of_executable(&file, content),
            Err(_) => "a broken ELF file",
        },
        Ok(FileKind::Elf32) => return vec![Obstacle::Bits32],
        Ok(FileKind::MachO32 | FileKind::MachO64 | FileKind::MachOFat32 | FileKind::MachOFat64) => {
            "a Mach-O file (macOS)"
        }
        Ok(FileKind::Pe32 | FileKind::Pe64) => "a PE file (Windows)",
        _ => "a file of another kind",
    };
    vec![Obstacle::NoProgram(what)]
}

fn of_executable(file: &ElfFile64<'_>, content: &[u8]) -> Vec<Obstacle> {
    let (header, endian) = (file.elf_header(), file.endian());
    let machine = header.e_machine(endian);
    let ours = if cfg!(target_arch = "aarch64") { EM_AARCH64 } else { EM_X86_64 };
    if machine != ours {
        return vec![Obstacle::Machine(machine_name(machine))];
    }
    if ![ET_EXEC, ET_DYN].contains(&header.e_type(endian)) {
        return vec![Obstacle::NoProgram("an ELF file that is not linked")];
    }
    let loader = loader(file, content);
    let mut obstacles: Vec<_> = match &loader {
        None => vec![Obstacle::NoLoader],
        Some(loader) => of_loader(loader).into_iter().collect(),
    };
    // Its calls of a C library that it is linked with are made like everybody's.
    let go = [".go.buildinfo", ".note.go.buildid"].iter().any(|name| file.section_by_name(name).is_some());
    if go && !needed(file).iter().any(|name| needs::is_client_library(name)) {
        obstacles.push(Obstacle::Go);
    }
    if loader.is_some() && (defines_client(file) || has_client_inside(file, content)) {
        obstacles.push(Obstacle::LinkedIn);
    }
    obstacles
}

fn machine_name(machine: u16) -> String {
    match machine {
        EM_X86_64 => "x86_64".to_owned(),
        EM_AARCH64 => "aarch64".to_owned(),
        other => format!("machine {other} (elf.h)"),
    }
}

fn loader(file: &ElfFile64<'_>, content: &[u8]) -> Option<PathBuf> {
    let interpreters = file.elf_program_headers().iter().map(|header| header.interpreter(file.endian(), content));
    let name = interpreters.filter_map(Result::ok).flatten().next()?;
    Some(PathBuf::from(OsStr::from_bytes(name)))
}

fn of_loader(loader: &Path) -> Option<Obstacle> {
    let name = loader.file_name().unwrap_or_default().as_bytes();
    if name.starts_with(b"ld-musl") {
        return Some(Obstacle::Musl(loader.to_owned()));
    }
    if !name.starts_with(b"ld-linux") {
        return Some(Obstacle::ForeignLoader(loader.to_owned()));
    }
    (!loader.exists()).then(|| Obstacle::LoaderIsMissing(loader.to_owned()))
}

/// Not as plain references to a library's functions: as its own.
fn defines_client(file: &ElfFile64<'_>) -> bool {
    let mut symbols = file.symbols().chain(file.dynamic_symbols());
    symbols.any(|symbol| symbol.is_definition() && symbol.name() == Ok(CONNECT))
}

/// Linked statically and stripped, as `mariadb-dump` is: no symbol tells, but each client library has the name of the
/// protocol's oldest authentication method in it, and the file needs no client library from elsewhere.
fn has_client_inside(file: &ElfFile64<'_>, content: &[u8]) -> bool {
    const METHOD: &[u8] = b"\0mysql_native_password\0";
    let linked = needed(file).iter().any(|name| needs::is_client_library(name));
    !linked && content.windows(METHOD.len()).any(|window| window == METHOD)
}

/// The places in which it keeps the address of `CONNECT`, if it calls that of a library: counted from where its file's first
/// byte lies in memory.
pub fn connect_slots(file: &ElfFile64<'_>) -> Vec<u64> {
    let (Some(symbols), Some(relocations)) = (file.dynamic_symbol_table(), file.dynamic_relocations()) else {
        return vec![];
    };
    let first = file.elf_program_headers().iter().find(|header| header.p_type(file.endian()) == object::elf::PT_LOAD);
    let bias = first.map_or(0, |header| header.p_vaddr(file.endian()).wrapping_sub(header.p_offset(file.endian())));
    let connects = |relocation: &object::Relocation| match relocation.target() {
        object::RelocationTarget::Symbol(index) => {
            symbols.symbol_by_index(index).is_ok_and(|symbol| symbol.name() == Ok(CONNECT))
        }
        _ => false,
    };
    relocations.filter(|(_, relocation)| connects(relocation)).map(|(at, _)| at.wrapping_sub(bias)).collect()
}

/// The names of the libraries that it is linked with.
pub fn needed(file: &ElfFile64<'_>) -> Vec<String> {
    strings(file, &[object::elf::DT_NEEDED])
}

/// Where it wants its libraries to be looked for.
pub fn search_paths(file: &ElfFile64<'_>) -> Vec<String> {
    let lists = strings(file, &[object::elf::DT_RUNPATH, object::elf::DT_RPATH]);
    lists.iter().flat_map(|list| list.split(':')).map(str::to_owned).collect()
}

fn strings(file: &ElfFile64<'_>, tags: &[i64]) -> Vec<String> {
    let Ok(table) = file.elf_dynamic_table() else { return vec![] };
    let wanted = table.iter().filter(|entry| tags.contains(&entry.tag));
    wanted.filter_map(|entry| Some(String::from_utf8_lossy(table.string(entry).ok()?).into_owned())).collect()
}
