//! A story lived through twice, by the protected program and by its bare twin, and what came of both.

use std::path::Path;

use pointsman_lab::{Result, ScenarioKind};

use super::draw::Draw;
use super::judgement::{self, Judgement};
use super::run::{self, Seen};
use super::twin::{self, Figures, Worse};

pub struct Pair {
    pub protected: Seen,
    pub bare: Seen,
    pub figures: Figures,
    pub bare_figures: Figures,
    pub judgement: Judgement,
    /// In how many points the protected program did worse.
    pub worse: u64,
}

/// Both, one after the other, each on servers of its own. What may be chance is looked at a second time.
pub fn take(draw: &Draw, library: &Path) -> Result<Pair> {
    let (protected, bare) = both(draw, library)?;
    let (figures, bare_figures) = (protected.figures(draw), bare.figures(draw));
    let mut worse = worse(draw, &figures, bare_figures.clone());
    if worse.iter().any(|worse| !worse.subject.is_certain()) {
        let (again, twin) = both(draw, library)?;
        worse = twin::confirmed(worse, self::worse(draw, &again.figures(draw), twin.figures(draw)));
    }
    let mut judgement = judgement::of(&protected.witness(draw));
    judgement.reasons.extend(worse.iter().map(|worse| format!("worse than bare: {}", worse.text)));
    Ok(Pair { protected, bare, figures, bare_figures, judgement, worse: worse.len() as u64 })
}

fn worse(draw: &Draw, protected: &Figures, bare: Figures) -> Vec<Worse> {
    let bare = if draw.kind == ScenarioKind::Galera { bare.each_like_the_worst() } else { bare };
    twin::worse(protected, &bare)
}

fn both(draw: &Draw, library: &Path) -> Result<(Seen, Seen)> {
    Ok((run::take(draw, Some(library))?, run::take(draw, None)?))
}
