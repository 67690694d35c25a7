//! The programs: compiled into this crate as text, written into the lab's directory, and run by their interpreter or
//! built by the C compiler.

use super::{Workload, WorkloadOptions};
use crate::error::{Error, Result};
use crate::ground::{roots, template};
use crate::lab::Lab;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const C_TEXT: &str = include_str!("../../workloads/libmysqlclient.c");

impl Workload {
    pub const ALL: [Self; 6] =
        [Self::Mysql2, Self::ActiveRecord, Self::MySqlDb, Self::Dbd, Self::LibMariaDb, Self::LibMySqlClient];

    pub fn name(self) -> &'static str {
        match self {
            Self::Mysql2 => "mysql2",
            Self::ActiveRecord => "activerecord",
            Self::MySqlDb => "mysqldb",
            Self::Dbd => "dbd",
            Self::LibMariaDb => "libmariadb",
            Self::LibMySqlClient => "libmysqlclient",
        }
    }

    /// The command in the lab's sandbox, where the preload is visible under its own path.
    pub(super) fn command(self, lab: &Lab, options: &WorkloadOptions, names: &[(&str, &str)]) -> Result<Command> {
        let preload = options.preload.as_deref();
        let script = |interpreter, suffix, text| self.script(lab, options, interpreter, suffix, text, names);
        match self {
            Self::Mysql2 => script("/usr/bin/ruby", "rb", include_str!("../../workloads/mysql2.rb")),
            Self::ActiveRecord => script("/usr/bin/ruby", "rb", include_str!("../../workloads/activerecord.rb")),
            Self::MySqlDb => script("/usr/bin/python3", "py", include_str!("../../workloads/mysqldb.py")),
            Self::Dbd => script("/usr/bin/perl", "pl", include_str!("../../workloads/dbd.pl")),
            Self::LibMariaDb => {
                let flags = template::run(Command::new("mariadb_config").args(["--include", "--libs"]))?;
                lab.command_with_names(self.build(lab, flags.split_whitespace().map(str::to_owned))?, names)
            }
            Self::LibMySqlClient => {
                let program = self.build(lab, sid_flags(&roots::sid_root()?))?;
                lab.sid_command_with_names(program, preload.as_slice(), names)
            }
        }
    }

    fn script(
        self,
        lab: &Lab,
        options: &WorkloadOptions,
        interpreter: &'static str,
        suffix: &str,
        text: &str,
        names: &[(&str, &str)],
    ) -> Result<Command> {
        let program = PathBuf::from(interpreter);
        if options.system.is_none() && !program.exists() {
            return Err(Error::Missing { what: "an interpreter", path: program });
        }
        let path = self.write(lab, suffix, text)?;
        let mut command = match options.system {
            None => lab.command_with_names(interpreter, names)?,
            Some(system) => {
                let preload = options.preload.as_deref();
                lab.command_inside(&system.root()?, Path::new(interpreter), preload.as_slice(), names)?
            }
        };
        command.arg(path);
        Ok(command)
    }

    fn build(self, lab: &Lab, flags: impl IntoIterator<Item = String>) -> Result<PathBuf> {
        let source = self.write(lab, "c", C_TEXT)?;
        let program = source.with_extension("bin");
        let mut compiler = Command::new("cc");
        template::run(compiler.args(["-O1", "-g", "-pthread", "-o"]).arg(&program).arg(&source).args(flags))?;
        Ok(program)
    }

    fn write(self, lab: &Lab, suffix: &str, text: &str) -> Result<PathBuf> {
        let path = lab.directory().join(format!("{}.{suffix}", self.name()));
        fs::write(&path, text).map_err(Error::file("write", &path))?;
        Ok(path)
    }
}

/// Headers and library of the sid root. Its C library is newer than the host's, so the host's headers come first and the
/// linker does not resolve what the library itself needs.
fn sid_flags(root: &Path) -> [String; 6] {
    [
        format!("-I{}", root.join("usr/include/mysql").display()),
        "-idirafter".into(),
        root.join("usr/include").display().to_string(),
        format!("-L{}", roots::sid_libraries(root).display()),
        "-lmysqlclient".into(),
        "-Wl,--allow-shlib-undefined".into(),
    ]
}
