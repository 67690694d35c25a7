//! Every name that a text mentions, keywords included: a table or view that it uses is among them.

use std::collections::BTreeSet;

use super::{
    lexer::{Lexer, Reading},
    token::Kind,
};

/// As the text writes them, without quotes.
pub fn names_in(sql: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut lexer = Lexer::new(sql, Reading::USUAL);
    let mut names = BTreeSet::new();
    loop {
        let token = lexer.next();
        match token.kind {
            Kind::End => return names,
            _ if token.is_name() => {
                names.insert(token.name());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_and_every_quoted_name_is_told_once() {
        let names = names_in(b"SELECT a.x, 'text' FROM shop.orders AS a, `odd ``name`, \"ansi\" WHERE a.x = 7 -- note");
        let told: Vec<_> = names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        assert_eq!(told, ["AS", "FROM", "SELECT", "WHERE", "a", "ansi", "odd `name", "orders", "shop", "x"]);
    }
}
