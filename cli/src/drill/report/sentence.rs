//! The verdict in plain English: what the reader tells the colleague.

use crate::drill::figures::Figures;
use crate::drill::plan::Plan;
use crate::duration::shown;
use crate::options::Story;

/// `back` is what took writes again: `green is writable`.
pub fn verdict(plan: &Plan, bare: &Figures, protected: &Figures, back: &str) -> String {
    let workload = plan.workload.name();
    if !protected.is_clean() {
        let why = if plan.story == Story::Never && protected.lost + protected.doubled == 0 {
            "No server took writes for longer than the library holds, so it let the errors through, as it promises; \
             nothing was lost and nothing doubled."
        } else {
            "That is not what Pointsman promises."
        };
        return format!("Protected, {workload} {}. {why}", troubles(protected));
    }
    let mut sentence = format!(
        "Protected, {workload} saw no error, lost nothing and stored nothing twice; its worst stall was {}",
        shown(protected.worst_stall)
    );
    if let Some(last) = protected.return_to_work.last {
        let back = back.replace(" is ", " was ");
        sentence += &format!(", and every worker wrote again within {} after {back}", shown(last));
    }
    if protected.stale_reads > 0 {
        sentence += &format!(" ({} reads were stale meanwhile)", protected.stale_reads);
    }
    if bare.is_clean() {
        return sentence + ". Bare it saw no error either: this drill did not show a difference.";
    }
    sentence + &format!("; bare, it {}.", troubles(bare))
}

fn troubles(figures: &Figures) -> String {
    let returned = figures.return_to_work;
    let counted = |count: u64, what: &str| (count > 0).then(|| format!("{what} {count}"));
    let parts = [
        (figures.failed > 0).then(|| format!("saw {} of {} statements fail", figures.failed, figures.statements)),
        counted(figures.lost as u64, "lost writes:"),
        counted(figures.doubled as u64, "stored writes twice:"),
        match returned.silent {
            0 => None,
            silent if silent == returned.workers => Some("never wrote again".to_owned()),
            silent => Some(format!("had {silent} of {} workers that never wrote again", returned.workers)),
        },
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => "had no trouble".to_owned(),
    }
}
