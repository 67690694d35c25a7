//! The MySQL client library that a program is linked with, itself or by another library: looked for as ld.so(8) does, in
//! the places that are usual.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::read::elf::ElfFile64;

use super::elf;

pub fn is_client_library(name: &str) -> bool {
    ["libmariadb.so", "libmysqlclient.so", "libmysqlclient_r.so", "libperconaserverclient.so"]
        .iter()
        .any(|known| name.starts_with(known))
}

/// What there is to say of an executable that can be reached, in one line.
pub fn client_library(executable: &Path) -> String {
    match Search::default().of(executable) {
        Some((name, None)) => format!("linked with {name}: its connections to a host name are protected"),
        Some((name, Some(by))) => format!("linked with {name} by {by}: its connections to a host name are protected"),
        None => "linked with no MySQL client library: libmariadb or libmysqlclient is protected if it loads one later, drivers \
                 that speak the protocol themselves are not"
            .to_owned(),
    }
}

#[derive(Default)]
struct Search {
    seen: BTreeSet<String>,
}

impl Search {
    /// A client library's name, and who needs it if that is not the file itself.
    fn of(&mut self, file: &Path) -> Option<(String, Option<String>)> {
        let content = fs::read(file).ok()?;
        let parsed = ElfFile64::<Endianness>::parse(&*content).ok()?;
        let needed = elf::needed(&parsed);
        if let Some(name) = needed.iter().find(|name| is_client_library(name)) {
            return Some((name.clone(), None));
        }
        let directories = directories(file, &elf::search_paths(&parsed));
        for name in needed {
            if self.seen.insert(name.clone())
                && let Some(library) =
                    directories.iter().map(|directory| directory.join(&name)).find(|path| path.exists())
                && let Some((found, by)) = self.of(&library)
            {
                return Some((found, by.or(Some(name))));
            }
        }
        None
    }
}

fn directories(file: &Path, own: &[String]) -> Vec<PathBuf> {
    let origin = file.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned)).unwrap_or_default();
    let origin = origin.to_string_lossy();
    let own = own.iter().map(|path| path.replace("$ORIGIN", &origin).replace("${ORIGIN}", &origin).into());
    let variable = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let named = std::env::split_paths(&variable).filter(|path| !path.as_os_str().is_empty());
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let usual = [format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")].map(PathBuf::from);
    let plain = ["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"].map(PathBuf::from);
    own.chain(named).chain(configured()).chain(usual).chain(plain).collect()
}

/// ld.so.conf(5), as distributions lay it out.
fn configured() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir("/etc/ld.so.conf.d") else { return vec![] };
    let texts = entries.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok());
    texts
        .flat_map(|text| text.lines().map(str::trim).map(PathBuf::from).collect::<Vec<_>>())
        .filter(|path| path.is_absolute())
        .collect()
}
