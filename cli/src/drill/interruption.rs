//! Ctrl-C while a drill runs. The lab's own handler ends its processes, removes its directories and dies of the signal;
//! here only: what fails meanwhile because a process was ended is no error to report, and nobody else tidies up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pointsman_lab::interrupt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

#[derive(Clone)]
pub struct Interruption(Arc<AtomicBool>);

impl Interruption {
    /// Before the first lab. Our mark is registered first, so it is set by the time the lab's handler ends anything.
    pub fn expect() -> pointsman_lab::Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let registered = signal_hook::flag::register(signal, came.clone());
            let program = "the signal handler".to_owned();
            registered.map_err(|source| pointsman_lab::Error::Start { program, source })?;
        }
        interrupt::install()?;
        Ok(Self(came))
    }

    /// Does not return if a signal came: the lab's handler is about to end the process.
    pub fn end_if_it_came(&self) {
        while self.0.load(Ordering::SeqCst) {
            std::thread::park();
        }
    }
}
