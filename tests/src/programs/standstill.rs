//! What the processes of a program that gives no answer are waiting for, as the kernel tells it.

use std::{fmt::Write, fs};

/// One line for each thread of the process and of all its descendants: its name, its state, the place in the kernel where it
/// sleeps, its system call with what its first argument points into, and the instruction and stack pointers' mappings.
pub fn of(process: u32) -> String {
    let mut told = String::new();
    let mut processes = vec![process];
    while let Some(process) = processes.pop() {
        let read = |name: &str| fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
        let maps = read("maps");
        for task in fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
            let task = task.file_name().to_string_lossy().into_owned();
            let of = |name: &str| read(&format!("task/{task}/{name}")).trim().to_owned();
            let state = of("stat").rsplit_once(')').map_or(String::new(), |(_, rest)| rest.chars().take(2).collect());
            let call = of("syscall");
            let places: Vec<_> = call.split(' ').skip(1).filter_map(|word| place(&maps, word)).collect();
            let _ = writeln!(
                told,
                "  {process}/{task} {}:{state} in {} [{call}] {}",
                of("comm"),
                of("wchan"),
                places.join(", ")
            );
            let children = of("children");
            processes.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    told
}

/// Which mapping this address is in, and how far from its beginning.
fn place(maps: &str, address: &str) -> Option<String> {
    let address = u64::from_str_radix(address.strip_prefix("0x")?, 16).ok()?;
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (from, until) = range.split_once('-')?;
        let (from, until) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(until, 16).ok()?);
        let offset = u64::from_str_radix(rest.split(' ').nth(1)?, 16).ok()?;
        let name = rest.rsplit(' ').next().filter(|name| !name.is_empty()).unwrap_or("memory");
        (from..until).contains(&address).then(|| format!("{address:#x} = {name}+{:#x}", address - from + offset))
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    #[test]
    fn a_sleeping_child_is_named_with_the_place_where_it_sleeps() {
        let mut shell = Command::new("sh").args(["-c", "sleep 30 & read line"]).stdin(Stdio::piped()).spawn().unwrap();
        crate::wait_for("the shell and its child to sleep", || {
            let told = super::of(shell.id());
            told.contains(" sh:") && told.contains(" sleep:") && told.contains("libc")
        });
        for child in fs_children(shell.id()) {
            Command::new("kill").arg(child).status().unwrap();
        }
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }

    fn fs_children(process: u32) -> Vec<String> {
        let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap();
        children.split_whitespace().map(str::to_owned).collect()
    }
}
