//! Writes well-formed SVG: elements, attributes and text, all escaped. Knows no picture.

use std::fmt::{Display, Write};

/// A document that grows downwards; [`Svg::finish`] closes it.
pub struct Svg {
    text: String,
}

impl Svg {
    /// A white sheet; `title` is what a screen reader says.
    pub fn new(width: f64, height: f64, title: &str, style: &str) -> Self {
        let mut svg = Self { text: String::new() };
        let _ = writeln!(
            svg.text,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" role="img">"#
        );
        let _ = writeln!(svg.text, "<title>{}</title>\n<style>{}</style>", Escaped(title), Escaped(style));
        svg.rect("sheet", (0.0, 0.0), (width, height), "");
        svg
    }

    pub fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let _ =
            writeln!(self.text, r#"<text class="{}" x="{x:.1}" y="{y:.1}">{}</text>"#, Escaped(class), Escaped(text));
    }

    pub fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let class = Escaped(class);
        let _ = writeln!(self.text, r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#);
    }

    /// `hint` is shown under the pointer, unless it is empty.
    pub fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), hint: &str) {
        let class = Escaped(class);
        let _ =
            write!(self.text, r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}""#);
        match hint {
            "" => self.text.push_str("/>\n"),
            hint => _ = writeln!(self.text, "><title>{}</title></rect>", Escaped(hint)),
        }
    }

    /// Upright strokes of one height, as one element however many there are.
    pub fn strokes(&mut self, class: &str, xs: impl IntoIterator<Item = f64>, y: f64, height: f64) {
        let mut path = String::new();
        for x in xs {
            let _ = write!(path, "M{x:.1} {y:.1}v{height:.1}");
        }
        if !path.is_empty() {
            let _ = writeln!(self.text, r#"<path class="{}" d="{path}"/>"#, Escaped(class));
        }
    }

    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

/// Text as XML takes it, in content and in attributes; characters that XML has no way to write become U+FFFD.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            '\t' | '\n' | '\r' => f.write_char(' '),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}'),
            other => f.write_char(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str = "a<b> & \"c\" 'd' ]]> \u{0}\u{1b}\u{ffff} é";

    #[test]
    fn nasty_text_is_escaped_and_the_document_is_well_formed() {
        let mut svg = Svg::new(100.0, 50.0, NASTY, "text { fill: black }");
        svg.text(NASTY, (1.0, 2.0), NASTY);
        svg.rect(NASTY, (0.0, 0.0), (1.0, 1.0), NASTY);
        svg.line(NASTY, (0.0, 0.0), (1.0, 1.0));
        svg.strokes(NASTY, [1.0, 2.5], 3.0, 4.0);
        let text = svg.finish();
        let document = roxmltree::Document::parse(&text).unwrap();
        let of = |tag| document.descendants().find(|node| node.has_tag_name(("http://www.w3.org/2000/svg", tag)));
        let expected = "a<b> & \"c\" 'd' ]]> \u{fffd}\u{fffd}\u{fffd} é";
        assert_eq!(of("text").unwrap().text(), Some(expected));
        assert_eq!(of("text").unwrap().attribute("class"), Some(expected));
        assert_eq!(of("title").unwrap().text(), Some(expected));
        assert_eq!(of("path").unwrap().attribute("d"), Some("M1.0 3.0v4.0M2.5 3.0v4.0"));
    }

    #[test]
    fn no_strokes_are_no_element() {
        let mut svg = Svg::new(1.0, 1.0, "", "");
        svg.strokes("x", [], 0.0, 1.0);
        assert!(!svg.finish().contains("<path"));
    }
}
