//! Where the text of a COM_QUERY begins that has attributes in front of it (CLIENT_QUERY_ATTRIBUTES).

use super::fields::Fields;

/// The text behind the attributes; `None` if they are not all there, or of an unknown type.
pub(super) fn text_behind(payload: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields::of(payload);
    let count = usize::try_from(fields.number()?).ok()?;
    if fields.number()? != 1 {
        return None;
    }
    if count == 0 {
        return Some(fields.rest());
    }
    let nulls = fields.take(count.div_ceil(8))?;
    if fields.byte()? != 1 {
        return None;
    }
    // The types and names are read twice, so that they need not be remembered.
    let mut types = fields;
    for _ in 0..count {
        fields.two()?;
        fields.text()?;
    }
    for at in 0..count {
        let [kind, _sign] = types.two()?.to_le_bytes();
        types.text()?;
        if nulls.get(at / 8)? & 1 << (at % 8) == 0 {
            pass_value(kind, &mut fields)?;
        }
    }
    Some(fields.rest())
}

/// A value of the binary protocol (MySQL source documentation, "Binary Protocol Value").
fn pass_value(kind: u8, fields: &mut Fields<'_>) -> Option<()> {
    let length = match kind {
        // NULL.
        6 => 0,
        // TINY, BOOL.
        1 | 244 => 1,
        // SHORT, YEAR.
        2 | 13 => 2,
        // LONG, FLOAT, INT24.
        3 | 4 | 9 => 4,
        // DOUBLE, LONGLONG.
        5 | 8 => 8,
        // TIMESTAMP, DATE, TIME, DATETIME.
        7 | 10 | 11 | 12 => usize::from(fields.byte()?),
        // DECIMAL, VARCHAR, BIT; JSON, NEWDECIMAL, ENUM, SET, the BLOBs, VAR_STRING, STRING, GEOMETRY.
        0 | 15 | 16 | 245..=255 => return fields.text().map(|_| ()),
        _ => return None,
    };
    fields.take(length).map(|_| ())
}
