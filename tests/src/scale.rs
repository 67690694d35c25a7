//! How much a randomised test does, and from which seed: little in `make test`, much in `make soak`.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

use pointsman_lab::Dice;

/// `usual`, or what the environment variable says.
pub fn amount(variable: &str, usual: u64) -> u64 {
    match env::var(variable) {
        Err(_) => usual,
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text}: not a number")),
    }
}

/// The seed that the environment variable names in hexadecimal digits, else a fresh one. Printed, so that what it led to
/// can be led to again.
pub fn seed(variable: &str) -> u64 {
    let seed = match env::var(variable) {
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Dice::new(now.as_nanos() as u64).roll()
        }
        Ok(text) => u64::from_str_radix(&text, 16).unwrap_or_else(|_| panic!("{variable}={text}: not hexadecimal")),
    };
    println!("{variable}={seed:x}");
    seed
}
