//! A process and all that it forked, as /proc shows them.

use std::{
    fs::{self, File},
    path::PathBuf,
};

#[derive(Clone, Debug)]
pub struct Member {
    pub id: u32,
    pub parent: u32,
    pub name: String,
    pub state: char,
}

impl Member {
    /// Of `/proc/ID/stat`, whose second field may hold anything.
    fn of(stat: &str) -> Option<Self> {
        let (id, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?.chars().next()?;
        Some(Self { id: id.parse().ok()?, parent: fields.next()?.parse().ok()?, name: name.to_owned(), state })
    }

    /// Ended, and not waited for by its parent.
    pub fn is_zombie(&self) -> bool {
        self.state == 'Z'
    }

    /// Names of its threads.
    pub fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id));
        let comms = tasks.into_iter().flatten().flatten().map(|task| fs::read_to_string(task.path().join("comm")));
        comms.flatten().map(|name| name.trim().to_owned()).collect()
    }

    /// How many threads of the library it has.
    pub fn watchers(&self) -> usize {
        self.threads().iter().filter(|name| *name == "pointsman-dns").count()
    }
}

pub fn is_there(id: u32) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat"))
        .is_ok_and(|stat| Member::of(&stat).is_some_and(|member| !member.is_zombie()))
}

/// A program of a lab's and all that it forked, daemons too: it has a mount name space of its own, which they inherit.
#[derive(Debug)]
pub struct Offspring {
    space: PathBuf,
    /// As long as it is open, no other name space gets the number of this one: else a stranger would seem to be a member
    /// once all members have ended.
    _kept: File,
}

impl Offspring {
    /// `root` must be alive.
    pub fn of(root: u32) -> Self {
        let kept = File::open(format!("/proc/{root}/ns/mnt")).expect("a process that is alive has name spaces");
        Self { space: name_space(root).expect("as above"), _kept: kept }
    }

    pub fn members(&self) -> Vec<Member> {
        let entries = fs::read_dir("/proc").expect("proc is mounted").flatten();
        let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
        let (zombies, alive): (Vec<_>, Vec<_>) =
            stats.filter_map(|stat| Member::of(&stat)).partition(|member| member.is_zombie());
        let mut members: Vec<_> =
            alive.into_iter().filter(|member| name_space(member.id).as_ref() == Some(&self.space)).collect();
        // These have no name spaces any more.
        let ours = |zombie: &Member| members.iter().any(|member| member.id == zombie.parent);
        let zombies: Vec<_> = zombies.into_iter().filter(ours).collect();
        members.extend(zombies);
        members
    }
}

fn name_space(id: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{id}/ns/mnt")).ok()
}
