//! Many statements at once, as an administrator, of which each may fail.

use std::{collections::BTreeMap, io::Write, process::Stdio, thread};

use pointsman_lab::Server;

/// The number of the error that each statement ends with; 0 for none.
pub fn errors_of(server: &Server, statements: &[String]) -> Vec<u32> {
    let mut client = server.client().unwrap();
    client.args(["--force", "--database=shop"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = client.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let text: String = statements.iter().map(|statement| format!("{statement};\n")).collect();
    let writer = thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors: BTreeMap<usize, u32> = said
        .lines()
        .filter_map(|line| {
            let (number, rest) = line.strip_prefix("ERROR ")?.split_once(' ')?;
            let at = rest.split_once(" at line ")?.1.split_once(':')?.0;
            Some((at.parse().ok()?, number.parse().ok()?))
        })
        .collect();
    (1..=statements.len()).map(|line| errors.get(&line).copied().unwrap_or(0)).collect()
}
