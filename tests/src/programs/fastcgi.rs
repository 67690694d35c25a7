//! One request to a FastCGI responder (php-fpm), on a connection of its own.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::visitors::Answer;

const PATIENCE: Duration = Duration::from_secs(60);

// Types of records, as the FastCGI specification numbers them.
const BEGIN_REQUEST: u8 = 1;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const STDERR: u8 = 7;

/// Has `script` run with this query; the body that it writes.
pub fn run(server: SocketAddr, script: &str, query: &str) -> Answer {
    let speak = || {
        let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&request(script, query))?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = speak().map_err(|error: std::io::Error| error.to_string())?;
    let [out, complaint] = streams(&answer).ok_or("no end of the request")?;
    match out.split_once("\r\n\r\n") {
        Some((head, body)) if !head.contains("Status:") && complaint.is_empty() => Ok(body.trim().to_owned()),
        _ => Err(format!("{out} {complaint}")),
    }
}

fn request(script: &str, query: &str) -> Vec<u8> {
    // The role of a responder; the connection is closed after it.
    let mut bytes = record(BEGIN_REQUEST, &[0, 1, 0, 0, 0, 0, 0, 0]);
    let parameters = [("SCRIPT_FILENAME", script), ("REQUEST_METHOD", "GET"), ("QUERY_STRING", query)];
    let mut content = Vec::new();
    for (name, value) in parameters {
        for text in [name, value] {
            content.extend((text.len() as u32 | 1 << 31).to_be_bytes());
        }
        content.extend([name, value].concat().bytes());
    }
    bytes.extend(record(PARAMS, &content));
    bytes.extend(record(PARAMS, &[]));
    bytes.extend(record(STDIN, &[]));
    bytes
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = (content.len() as u16).to_be_bytes();
    let mut bytes = vec![1, kind, 0, 1, high, low, 0, 0];
    bytes.extend(content);
    bytes
}

/// Its standard output and error; `None` if the answer breaks off.
fn streams(mut bytes: &[u8]) -> Option<[String; 2]> {
    let (mut out, mut complaint) = (Vec::new(), Vec::new());
    loop {
        let (head, rest) = bytes.split_at_checked(8)?;
        let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
        let (content, rest) = rest.split_at_checked(length)?;
        match head[1] {
            STDOUT => out.extend(content),
            STDERR => complaint.extend(content),
            END_REQUEST => return Some([out, complaint].map(|text| String::from_utf8_lossy(&text).into_owned())),
            _ => {}
        }
        bytes = rest.get(usize::from(head[6])..)?;
    }
}
