//! Numbers in text: an exact fast path for ordinary cells, and a patient path for the rest.
//!
//! The fast path is Clinger's: up to 2^53 times or over a power of ten up to 10^22 needs one correctly
//! rounded operation. Everything else goes to the standard library's parser, which is exact too.

/// Powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Largest integer below which every integer is a double.
const EXACT: u64 = 1 << 53;

/// A number found at the start of some bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    pub value: f64,
    /// Where the number ends.
    pub end: usize,
    /// An integer that no double equals.
    pub rounded: bool,
}

/// Reads a plain number at `at`: sign, digits, one `decimal`, exponent. `None` when there is none.
#[inline]
pub fn number_at(bytes: &[u8], at: usize, decimal: u8) -> Option<Found> {
    let mut p = at;
    let n = bytes.len();
    let mut negative = false;
    if p < n && (bytes[p] == b'-' || bytes[p] == b'+') {
        negative = bytes[p] == b'-';
        p += 1;
    }
    let mut mantissa: u64 = 0;
    let first = p;
    while p < n {
        let digit = bytes[p].wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        p += 1;
    }
    let mut digits = p - first;
    let mut exponent: i64 = 0;
    let mut point = false;
    if p < n && bytes[p] == decimal {
        point = true;
        p += 1;
        let fraction = p;
        while p < n {
            let digit = bytes[p].wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            p += 1;
        }
        digits += p - fraction;
        exponent = -((p - fraction) as i64);
    }
    if digits == 0 {
        return None;
    }
    let mut scientific = false;
    if p < n && bytes[p] | 0x20 == b'e' {
        let mut q = p + 1;
        let mut minus = false;
        if q < n && (bytes[q] == b'-' || bytes[q] == b'+') {
            minus = bytes[q] == b'-';
            q += 1;
        }
        let start = q;
        let mut e: i64 = 0;
        while q < n {
            let digit = bytes[q].wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            e = (e * 10 + i64::from(digit)).min(100_000);
            q += 1;
        }
        if q > start {
            exponent += if minus { -e } else { e };
            scientific = true;
            p = q;
        }
    }
    if digits <= 19 && mantissa <= EXACT && (-22..=22).contains(&exponent) {
        let m = mantissa as f64;
        let power = POWERS[exponent.unsigned_abs() as usize];
        let value = if exponent < 0 { m / power } else { m * power };
        return Some(Found {
            value: if negative { -value } else { value },
            end: p,
            rounded: false,
        });
    }
    let value = exact(&bytes[at..p], decimal)?;
    let rounded = !point && !scientific && {
        let whole = value.abs();
        digits > 19 || whole >= 1.8e19 || whole as u64 != mantissa
    };
    Some(Found {
        value,
        end: p,
        rounded,
    })
}

/// The standard parser over a cell whose decimal mark may be a comma.
fn exact(cell: &[u8], decimal: u8) -> Option<f64> {
    if decimal == b'.' {
        return std::str::from_utf8(cell).ok()?.parse().ok();
    }
    let plain: String = cell
        .iter()
        .map(|&b| if b == decimal { '.' } else { char::from(b) })
        .collect();
    plain.parse().ok()
}

/// Ways to write "no value", lower case.
const MISSING: [&str; 27] = [
    "",
    "nan",
    "+nan",
    "-nan",
    "na",
    "n/a",
    "n.a.",
    "#n/a",
    "#na",
    "null",
    "none",
    "nil",
    "missing",
    "-",
    "--",
    "---",
    ".",
    "?",
    "*",
    "nan(ind)",
    "-nan(ind)",
    "1.#qnan",
    "1.#ind",
    "-1.#ind",
    "#num!",
    "#value!",
    "#div/0!",
];

/// What a cell of a numeric column says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    Value(f64),
    /// An integer that no double equals, rounded.
    Rounded(f64),
    /// An accepted way to write "no value".
    Missing,
    /// Something else: text.
    Bad,
}

/// Reads a whole cell: everything [`number_at`] takes, infinities, missing values, Fortran exponents,
/// the Unicode minus, and digits in groups of three.
pub fn read_cell(cell: &[u8], decimal: u8) -> Cell {
    let cell = trim(cell);
    if let Some(found) = number_at(cell, 0, decimal) {
        if found.end == cell.len() {
            return if found.rounded {
                Cell::Rounded(found.value)
            } else {
                Cell::Value(found.value)
            };
        }
    }
    if cell.len() > 64 {
        return Cell::Bad;
    }
    let text = String::from_utf8_lossy(cell)
        .trim()
        .to_lowercase()
        .replace('\u{2212}', "-");
    if MISSING.contains(&text.as_str()) {
        return Cell::Missing;
    }
    match text.as_str() {
        "inf" | "+inf" | "infinity" | "+infinity" | "1.#inf" | "\u{221e}" => {
            return Cell::Value(f64::INFINITY)
        }
        "-inf" | "-infinity" | "-1.#inf" | "-\u{221e}" => return Cell::Value(f64::NEG_INFINITY),
        _ => {}
    }
    let fortran = text.replace('d', "e");
    if let Some(value) = whole(fortran.as_bytes(), decimal) {
        return Cell::Value(value);
    }
    match grouped(&text, char::from(decimal)) {
        Some(value) => Cell::Value(value),
        None => Cell::Bad,
    }
}

fn whole(text: &[u8], decimal: u8) -> Option<f64> {
    number_at(text, 0, decimal)
        .filter(|f| f.end == text.len())
        .map(|f| f.value)
}

/// "1,234,567.8": groups of three digits, all with the same mark, which is not the decimal one.
fn grouped(text: &str, decimal: char) -> Option<f64> {
    let (head, tail) = text
        .split_once(decimal)
        .map_or((text, None), |(h, t)| (h, Some(t)));
    let digits = head.trim_start_matches(['+', '-']);
    let mark = digits.chars().find(|c| !c.is_ascii_digit())?;
    if !matches!(
        mark,
        ',' | '.' | '\'' | ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}'
    ) {
        return None;
    }
    let mut parts = digits.split(mark);
    let first = parts.next()?;
    if first.is_empty() || first.len() > 3 || first.starts_with('0') {
        return None;
    }
    let three = |g: &str| g.len() == 3 && g.bytes().all(|b| b.is_ascii_digit());
    if !first.bytes().all(|b| b.is_ascii_digit()) || !parts.all(three) {
        return None;
    }
    let mut plain: String = head.chars().filter(|&c| c != mark).collect();
    if let Some(tail) = tail {
        plain.push('.');
        plain.push_str(tail);
    }
    whole(plain.as_bytes(), b'.')
}

/// Without blanks at either end.
pub fn trim(mut cell: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n' | 0, rest @ ..] = cell {
        cell = rest;
    }
    while let [rest @ .., b' ' | b'\t' | b'\r' | b'\n' | 0] = cell {
        cell = rest;
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, decimal: u8) -> f64 {
        match read_cell(text.as_bytes(), decimal) {
            Cell::Value(v) | Cell::Rounded(v) => v,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn equals_the_standard_parser() {
        for text in [
            "0",
            "-0",
            "1",
            "12.5",
            "-0.702146",
            ".5",
            "5.",
            "1e-08",
            "1.99990E-08",
            "+3.5e+2",
            "0.009947974853538391",
            "123456789012345678",
            "1.7976931348623157e308",
            "5e-324",
            "4.9406564584124654e-324",
            "0.1",
            "9007199254740993",
            "2.2250738585072011e-308",
            "1e400",
            "0.000000000000000000000000000000123456789012345678901234567890",
            "1e-400",
            "6.0221e23",
            "00012.50",
            "99999999999999999999.5",
        ] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(value(text, b'.').to_bits(), expected.to_bits(), "{text}");
            let comma = text.replace('.', ",");
            assert_eq!(value(&comma, b',').to_bits(), expected.to_bits(), "{comma}");
        }
    }

    #[test]
    fn random_digits_equal_the_standard_parser() {
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state >> 33
        };
        for _ in 0..20_000 {
            let bits = next() << 33 | next() << 2;
            let number = f64::from_bits(bits);
            let text = match next() % 3 {
                0 => format!("{number:e}"),
                1 => format!("{}.{:06}", next() % 100_000, next() % 1_000_000),
                _ => format!("{:.9}", (next() as f64 - 1e9) / 12345.678),
            };
            let expected: f64 = text.parse().unwrap();
            if expected.is_nan() {
                continue;
            }
            assert_eq!(value(&text, b'.').to_bits(), expected.to_bits(), "{text}");
        }
    }

    #[test]
    fn unusual_cells() {
        assert_eq!(value("1,234,567.5", b'.'), 1_234_567.5);
        assert_eq!(value("1.234.567,5", b','), 1_234_567.5);
        assert_eq!(value("-1'234", b'.'), -1234.0);
        assert_eq!(value("1.5D-03", b'.'), 0.0015);
        assert_eq!(value("\u{2212}2.5", b'.'), -2.5);
        assert_eq!(value("  7 ", b'.'), 7.0);
        assert_eq!(value("-Infinity", b'.'), f64::NEG_INFINITY);
        for missing in ["", "NaN", "NA", "#N/A", "null", "-1.#IND", "--"] {
            assert_eq!(
                read_cell(missing.as_bytes(), b'.'),
                Cell::Missing,
                "{missing}"
            );
        }
        for bad in [
            "stim", "1.2.3", "12 mV", "0,123", "1,23", "12:30", "e5", "0x10", "1e", "+",
        ] {
            assert_eq!(read_cell(bad.as_bytes(), b'.'), Cell::Bad, "{bad}");
        }
    }

    #[test]
    fn integers_past_the_exact_range_are_marked() {
        assert_eq!(
            read_cell(b"9007199254740992", b'.'),
            Cell::Value(9_007_199_254_740_992.0)
        );
        assert!(matches!(
            read_cell(b"9007199254740993", b'.'),
            Cell::Rounded(_)
        ));
        assert!(matches!(
            read_cell(b"1616000000123456789", b'.'),
            Cell::Rounded(_)
        ));
        assert!(matches!(
            read_cell(b"123456789012345678901234567890", b'.'),
            Cell::Rounded(_)
        ));
        assert!(matches!(
            read_cell(b"0.1234567890123456789", b'.'),
            Cell::Value(_)
        ));
    }
}
