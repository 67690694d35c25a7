//! The programs: compiled into this crate as text, written into the lab's directory, and run by their interpreter.

use super::Workload;
use crate::{Error, Lab, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

impl Workload {
    pub const ALL: [Self; 1] = [Self::Mysql2];

    pub fn name(self) -> &'static str {
        match self {
            Self::Mysql2 => "mysql2",
        }
    }

    pub(super) fn command(self, lab: &Lab) -> Result<Command> {
        match self {
            Self::Mysql2 => self.script(
                lab,
                "/usr/bin/ruby",
                "rb",
                include_str!("../../workloads/mysql2.rb"),
            ),
        }
    }

    fn script(
        self,
        lab: &Lab,
        interpreter: &'static str,
        suffix: &str,
        text: &str,
    ) -> Result<Command> {
        let program = PathBuf::from(interpreter);
        if !program.exists() {
            return Err(Error::Missing {
                what: "an interpreter",
                path: program,
            });
        }
        let path = lab.directory().join(format!("{}.{suffix}", self.name()));
        fs::write(&path, text).map_err(Error::file("write", &path))?;
        let mut command = lab.command(interpreter)?;
        command.arg(path);
        Ok(command)
    }
}
