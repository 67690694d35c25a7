//! One round of questions: from the first name that is due until nothing is on its way any more. Names that fall due
//! meanwhile join in, so that a slow lookup delays no other name. Knows the schedule only through [`Shared`].

use std::collections::HashMap;
use std::io;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::{Id, JoinSet};
use tokio::time::timeout;

use super::answer::Failure;
use super::schedule::Question;
use super::servers::Servers;
use super::sources::Sources;
use super::watcher::Shared;

/// How often a round with questions on their way looks for new ones and for a changed pace.
const POLL: Duration = Duration::from_millis(25);

/// Asks whatever is due. The runtime lives for this round only: between rounds the watcher owns no descriptor that a
/// fork could inherit or a host could close behind its back.
pub(super) fn ask_due(shared: &Shared, sources: &mut Sources) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    // Not dropped when a panic passes: a host that closed our descriptors makes tokio panic, and by then their numbers
    // may belong to the application.
    let runtime = ManuallyDrop::new(runtime);
    runtime.block_on(ask_until_quiet(shared, sources));
    drop(ManuallyDrop::into_inner(runtime));
    Ok(())
}

async fn ask_until_quiet(shared: &Shared, sources: &mut Sources) {
    let mut servers = None;
    let mut lookups = JoinSet::new();
    let mut questions = HashMap::<Id, Question>::new();
    // Lookups that wait as long as the application's resolver would, with their name and their beginning.
    let mut patient = HashMap::<Id, (String, Instant)>::new();
    loop {
        let due = shared.take_due();
        if !due.is_empty() {
            sources.refresh();
            servers = renewed(servers, sources);
        }
        for question in due {
            if let Some(found) = sources.hosts().find(&question.name) {
                shared.deliver(&question, Ok(found));
                continue;
            }
            match &servers {
                Some(Ok(servers)) => {
                    if question.failed_before && !patient.values().any(|(name, _)| *name == question.name) {
                        let (servers, name) = (Arc::clone(servers), question.name.clone());
                        let lookup = lookups.spawn(async move { servers.ask_patiently(&name).await });
                        patient.insert(lookup.id(), (question.name.clone(), Instant::now()));
                    }
                    let (servers, asked) = (Arc::clone(servers), question.clone());
                    let lookup =
                        lookups.spawn(async move { servers.ask(&asked.name, asked.pace, asked.families).await });
                    questions.insert(lookup.id(), question);
                }
                Some(Err(failure)) => shared.deliver(&question, Err(failure.clone())),
                None => shared.deliver(&question, Err(Failure::NoNameServer)),
            }
        }
        let (id, result) = match timeout(POLL, lookups.join_next_with_id()).await {
            Err(_) => {
                shared.make_rounds();
                continue;
            }
            Ok(None) => return,
            Ok(Some(Ok((id, result)))) => (id, result),
            Ok(Some(Err(error))) => (error.id(), Err(Failure::Other("the lookup broke off".to_owned()))),
        };
        if let Some((name, begun)) = patient.remove(&id) {
            if let Ok(found) = result {
                shared.deliver_late(&name, found, begun);
            }
        } else if let Some(question) = questions.remove(&id) {
            shared.deliver(&question, result);
        }
    }
}

/// The servers as the sources name them now; lookups on their way keep those that they began with.
fn renewed(servers: Option<ServersToAsk>, sources: &Sources) -> Option<ServersToAsk> {
    let resolution = sources.resolution()?;
    match servers {
        Some(Ok(servers)) if servers.made_for(resolution) => Some(Ok(servers)),
        _ => Some(Servers::new(Arc::clone(resolution)).map(Arc::new)),
    }
}

type ServersToAsk = Result<Arc<Servers>, Failure>;
