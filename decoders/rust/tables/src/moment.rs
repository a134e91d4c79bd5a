//! Dates and times in text, as whole nanoseconds.

use crate::number::trim;

/// Nanoseconds of a second and of a day.
pub const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

/// Which field of a numeric date is which, unless the first has four digits (then year, month, day).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    DayFirst,
    MonthFirst,
}

/// What a clock of two fields ("01:30") means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TwoFields {
    HoursMinutes,
    MinutesSeconds,
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }
    fn done(&self) -> bool {
        self.at >= self.text.len()
    }
    fn take(&mut self, any: &[u8]) -> bool {
        let hit = !self.done() && any.contains(&self.peek());
        self.at += usize::from(hit);
        hit
    }
    fn blanks(&mut self) {
        while self.take(b" \t") {}
    }
    /// A run of at most `most` digits: its value and length.
    fn digits(&mut self, most: usize) -> Option<(i64, usize)> {
        let start = self.at;
        let mut value = 0_i64;
        while self.peek().is_ascii_digit() && self.at - start < most {
            value = value * 10 + i64::from(self.peek() - b'0');
            self.at += 1;
        }
        (self.at > start).then_some((value, self.at - start))
    }
    fn word(&mut self) -> &[u8] {
        let start = self.at;
        while self.peek().is_ascii_alphabetic() {
            self.at += 1;
        }
        &self.text[start..self.at]
    }
    /// Decimal digits as nanoseconds of a second; digits past the ninth are cut.
    fn fraction(&mut self) -> Option<i128> {
        let start = self.at;
        let mut value = 0_i128;
        let mut scale = SECOND;
        while self.peek().is_ascii_digit() {
            if scale > 1 {
                scale /= 10;
                value += i128::from(self.peek() - b'0') * scale;
            }
            self.at += 1;
        }
        (self.at > start).then_some(value)
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    let length = LENGTHS.get(index)? + i64::from(leap && month == 2);
    if day < 1 || day > length || !(0..=9999).contains(&year) {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

fn month_of(word: &[u8]) -> Option<i64> {
    const NAMES: [&[u8]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let start: Vec<u8> = word.get(..3)?.to_ascii_lowercase();
    NAMES.iter().position(|n| *n == start).map(|i| i as i64 + 1)
}

fn full_year(value: i64, digits: usize) -> Option<i64> {
    match digits {
        4 => Some(value),
        2 => Some(if value < 69 {
            2000 + value
        } else {
            1900 + value
        }),
        _ => None,
    }
}

fn date(s: &mut Scan, order: DateOrder) -> Option<i64> {
    const BETWEEN: &[u8] = b"-/. ,:_";
    s.blanks();
    if s.peek().is_ascii_alphabetic() {
        let month = month_of(s.word())?;
        s.take(b".");
        s.take(b"-/ ");
        let (day, _) = s.digits(2)?;
        s.take(b",");
        s.take(b"-/ ");
        let (year, n) = s.digits(4)?;
        return days_from_civil(full_year(year, n)?, month, day);
    }
    let (first, n) = s.digits(4)?;
    if n == 4 && s.peek().is_ascii_digit() {
        let (month, _) = s.digits(2)?;
        let (day, m) = s.digits(2)?;
        return if m == 2 {
            days_from_civil(first, month, day)
        } else {
            None
        };
    }
    if !s.take(BETWEEN) {
        return None;
    }
    if s.peek().is_ascii_alphabetic() {
        let month = month_of(s.word())?;
        s.take(b".");
        s.take(BETWEEN);
        let (last, m) = s.digits(4)?;
        return if n == 4 {
            days_from_civil(first, month, last)
        } else {
            days_from_civil(full_year(last, m)?, month, first)
        };
    }
    let (second, _) = s.digits(2)?;
    if !s.take(BETWEEN) {
        return None;
    }
    let (third, m) = s.digits(4)?;
    if n == 4 {
        return days_from_civil(first, second, third);
    }
    let year = full_year(third, m)?;
    match order {
        DateOrder::DayFirst => days_from_civil(year, second, first),
        DateOrder::MonthFirst => days_from_civil(year, first, second),
    }
}

/// Reads "14:25:36.789", "90:30.5", "2:25 PM" as nanoseconds.
fn clock(s: &mut Scan, two: TwoFields) -> Option<i128> {
    let (first, _) = s.digits(6)?;
    let (hours, minutes, seconds, fraction);
    if !s.take(b":") {
        return None;
    }
    let (second, _) = s.digits(2)?;
    if s.take(b":") {
        let (third, _) = s.digits(2)?;
        // Some loggers write the milliseconds behind a third colon.
        fraction = if s.take(b".,:") { s.fraction()? } else { 0 };
        (hours, minutes, seconds) = (first, second, third);
    } else if s.take(b".,") {
        fraction = s.fraction()?;
        (hours, minutes, seconds) = (0, first, second);
    } else {
        fraction = 0;
        (hours, minutes, seconds) = match two {
            TwoFields::HoursMinutes => (first, second, 0),
            TwoFields::MinutesSeconds => (0, first, second),
        };
    }
    if (hours > 0 && minutes > 59) || seconds > 60 {
        return None;
    }
    let mut hours = hours;
    let before = s.at;
    s.blanks();
    if matches!(s.peek() | 0x20, b'a' | b'p') {
        let afternoon = s.peek() | 0x20 == b'p';
        s.at += 1;
        s.take(b".");
        if !s.take(b"mM") || hours > 12 {
            return None;
        }
        s.take(b".");
        hours = hours % 12 + if afternoon { 12 } else { 0 };
    } else {
        s.at = before;
    }
    Some(i128::from((hours * 60 + minutes) * 60 + seconds) * SECOND + fraction)
}

/// "Z", "UTC", "+01:00", "-0530": the offset from UTC, or 0 with `false` when no zone is written.
fn zone(s: &mut Scan) -> Option<(i128, bool)> {
    s.blanks();
    if s.done() {
        return Some((0, false));
    }
    if s.peek().is_ascii_alphabetic() {
        let word = s.word().to_ascii_uppercase();
        if !matches!(word.as_slice(), b"Z" | b"UTC" | b"GMT") {
            return None;
        }
        if s.done() {
            return Some((0, true));
        }
    }
    let negative = s.peek() == b'-';
    if !s.take(b"+-") {
        return None;
    }
    let (hours, _) = s.digits(2)?;
    s.take(b":");
    let minutes = s.digits(2).map_or(0, |(m, _)| m);
    let offset = i128::from(hours * 60 + minutes) * 60 * SECOND;
    Some((if negative { -offset } else { offset }, true))
}

/// A date with or without a time of day, as nanoseconds since 1970-01-01 (UTC where the cell says so).
pub fn read_moment(cell: &[u8], order: DateOrder) -> Option<i128> {
    let mut s = Scan {
        text: trim(cell),
        at: 0,
    };
    let days = i128::from(date(&mut s, order)?) * DAY;
    if s.done() {
        return Some(days);
    }
    if !s.take(b"T t_,:") {
        return None;
    }
    s.blanks();
    let time = if is_compact(&s) {
        let (h, _) = s.digits(2)?;
        let (m, _) = s.digits(2)?;
        let (sec, _) = s.digits(2)?;
        let fraction = if s.take(b".,") { s.fraction()? } else { 0 };
        if h > 24 || m > 59 || sec > 60 {
            return None;
        }
        i128::from((h * 60 + m) * 60 + sec) * SECOND + fraction
    } else {
        clock(&mut s, TwoFields::HoursMinutes)?
    };
    if time > DAY {
        return None;
    }
    let (offset, _) = zone(&mut s)?;
    s.blanks();
    s.done().then_some(days + time - offset)
}

fn is_compact(s: &Scan) -> bool {
    s.text
        .get(s.at..s.at + 6)
        .is_some_and(|d| d.iter().all(u8::is_ascii_digit))
}

/// A time of day or an elapsed time ("-0:05", "100:00:00.25", "1 02:03:04") as nanoseconds.
pub fn read_clock(cell: &[u8], two: TwoFields) -> Option<i128> {
    let mut s = Scan {
        text: trim(cell),
        at: 0,
    };
    let negative = s.take(b"-");
    if !negative {
        s.take(b"+");
    }
    let start = s.at;
    let mut days = 0;
    if let Some((d, _)) = s.digits(6) {
        if s.take(b" ") {
            days = d;
            // "1 days 02:03:04"
            if s.peek() | 0x20 == b'd' {
                s.word();
            }
            s.take(b",");
            s.blanks();
        } else {
            s.at = start;
        }
    }
    let time = i128::from(days) * DAY + clock(&mut s, two)?;
    s.blanks();
    s.done().then_some(if negative { -time } else { time })
}

/// A count of units of 10^`exponent` nanoseconds since 1970-01-01, as nanoseconds, without rounding.
pub fn read_epoch(cell: &[u8], exponent: u32, decimal: u8) -> Option<i128> {
    let mut s = Scan {
        text: trim(cell),
        at: 0,
    };
    let negative = s.take(b"-");
    let mut value = i128::from(s.digits(18)?.0);
    while let Some((more, n)) = s.digits(2) {
        if value > 1 << 80 {
            return None;
        }
        value = value * 10_i128.pow(n as u32) + i128::from(more);
    }
    let unit = 10_i128.pow(exponent.min(12));
    value = value.checked_mul(unit)?;
    if s.take(&[decimal]) {
        let mut scale = unit;
        while s.peek().is_ascii_digit() {
            scale /= 10;
            value += i128::from(s.peek() - b'0') * scale;
            s.at += 1;
        }
    }
    if s.peek() | 0x20 == b'e' {
        s.at += 1;
        let minus = s.take(b"-");
        if !minus {
            s.take(b"+");
        }
        let power = 10_i128.checked_pow(u32::try_from(s.digits(3)?.0).ok()?)?;
        value = if minus {
            value / power
        } else {
            value.checked_mul(power)?
        };
    }
    s.done().then_some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(text: &str) -> Option<i128> {
        read_moment(text.as_bytes(), DateOrder::DayFirst)
    }

    const BASE: i128 = 1_615_991_136 * SECOND; // 2021-03-17T14:25:36Z

    #[test]
    fn one_moment_in_many_forms() {
        for text in [
            "2021-03-17T14:25:36Z",
            "2021-03-17 14:25:36",
            "2021/03/17 14:25:36.000",
            "2021-03-17T15:25:36+01:00",
            "2021-03-17T08:55:36-0530",
            "2021-03-17 14:25:36 UTC",
            "17.03.2021 14:25:36",
            "17/03/21 2:25:36 PM",
            "17-Mar-2021 14:25:36",
            "Mar 17, 2021 14:25:36",
            "2021:03:17 14:25:36",
            "20210317T142536",
            "2021-03-17_14:25:36",
            "2021-03-17 14:25:36:000",
        ] {
            assert_eq!(iso(text), Some(BASE), "{text}");
        }
        assert_eq!(
            read_moment(b"3/17/2021 14:25:36", DateOrder::MonthFirst),
            Some(BASE)
        );
        assert_eq!(
            iso("2021-03-17T14:25:36,123456789123"),
            Some(BASE + 123_456_789)
        );
        assert_eq!(iso("2000-02-29"), Some(11_016 * DAY));
        assert_eq!(iso("1969-12-31T23:59:59.5"), Some(-SECOND / 2));
        for bad in [
            "2021-13-01",
            "2021-02-29",
            "14:25",
            "2021",
            "2021-03",
            "x",
            "",
            "2021-03-17 25",
        ] {
            assert_eq!(iso(bad), None, "{bad}");
        }
    }

    #[test]
    fn clocks() {
        let h = |t: &str| read_clock(t.as_bytes(), TwoFields::HoursMinutes);
        assert_eq!(h("00:00:05.25"), Some(5_250_000_000));
        assert_eq!(h("100:00:00"), Some(360_000 * SECOND));
        assert_eq!(h("1:30"), Some(5400 * SECOND));
        assert_eq!(h("1:30.5"), Some(90_500_000_000));
        assert_eq!(
            read_clock(b"1:30", TwoFields::MinutesSeconds),
            Some(90 * SECOND)
        );
        assert_eq!(h("90:00.0"), Some(5400 * SECOND));
        assert_eq!(h("12:00:01 am"), Some(SECOND));
        assert_eq!(h("1 00:00:01"), Some(86_401 * SECOND));
        assert_eq!(h("-0:00:01"), Some(-SECOND));
        assert_eq!(h("14:25:36,789"), Some(51_936_789_000_000));
        for bad in ["", "5", "1:2:3:4:5", "1:99:00", "ab:cd", "1:"] {
            assert_eq!(h(bad), None, "{bad}");
        }
    }

    #[test]
    fn epochs_keep_every_digit() {
        assert_eq!(
            read_epoch(b"1616000000.123456", 9, b'.'),
            Some(1_616_000_000_123_456_000)
        );
        assert_eq!(
            read_epoch(b"1616000000123456789", 0, b'.'),
            Some(1_616_000_000_123_456_789)
        );
        assert_eq!(
            read_epoch(b"1616000000123,5", 6, b','),
            Some(1_616_000_000_123_500_000)
        );
        assert_eq!(
            read_epoch(b"1.616e9", 9, b'.'),
            Some(1_616_000_000_000_000_000)
        );
        assert_eq!(read_epoch(b"12a", 9, b'.'), None);
        assert_eq!(read_epoch(&[b'9'; 200], 9, b'.'), None);
    }
}
