//! What the host decided about a table, as the bytes it hands over.

use crate::moment::{DateOrder, TwoFields};
use fuse_core::bytes::View;
use fuse_core::{Error, Result};

/// How the bytes become characters. Latin-1 and UTF-8 need no change: separators are ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Bytes,
    Utf16 { big_endian: bool },
}

/// What to do with a column; the numbers are places in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Skip,
    Number(usize),
    Text(usize),
    /// A number that times a factor is the time.
    Time,
    /// A part of the time: parts of one row add up.
    Moment(DateOrder),
    Clock(TwoFields),
    /// Units of 10^n nanoseconds since 1970.
    Epoch(u32),
}

#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub kind: Kind,
    pub decimal: u8,
}

/// The constant step the host expects between times, and how far one may be off.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub step: f64,
    pub tolerance: f64,
}

pub struct Config {
    pub encoding: Encoding,
    /// 0: any run of blanks.
    pub separator: u8,
    /// 0: none.
    pub quote: u8,
    pub comments: Vec<Vec<u8>>,
    pub columns: Vec<Column>,
    pub numbers: usize,
    pub texts: usize,
    pub block_rows: usize,
    pub time_multiply: f64,
    pub time_divide: f64,
    pub expected: Option<Expected>,
    /// Times that are sums of parts count from the first row; else from zero.
    pub from_first: bool,
    /// Count texts that are numbers.
    pub inspect_texts: bool,
}

const FIXED: usize = 48;
const MOST_COLUMNS: usize = 1 << 20;
/// Numbers a block may hold.
const MOST_NUMBERS: usize = 1 << 23;

impl Config {
    /// Layout: encoding u8, separator u8, quote u8, flags u8, block rows u32, multiply f64, divide f64,
    /// step f64, tolerance f64, columns u32, comment bytes u32; then 4 bytes a column (kind, detail,
    /// decimal, 0); then comment prefixes, each ended by a newline.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let short = || Error::corrupt("table configuration too short");
        let v = View::le(bytes);
        let byte = |at: usize| v.u8(at).ok_or_else(short);
        let float = |at: usize| v.f64(at).ok_or_else(short);
        let word = |at: usize| v.u32(at).map(|n| n as usize).ok_or_else(short);
        let encoding = match byte(0)? {
            0 => Encoding::Bytes,
            n => Encoding::Utf16 { big_endian: n == 2 },
        };
        let flags = byte(3)?;
        let count = word(40)?;
        if count == 0 || count > MOST_COLUMNS {
            return Err(Error::limit(format!("{count} columns")));
        }
        let (mut numbers, mut texts) = (0, 0);
        let mut columns = Vec::with_capacity(count.min(bytes.len() / 4));
        for i in 0..count {
            let at = FIXED + 4 * i;
            let (code, detail) = (byte(at)?, byte(at + 1)?);
            let place = |n: &mut usize| {
                *n += 1;
                *n - 1
            };
            let kind = match code {
                0 => Kind::Skip,
                1 => Kind::Number(place(&mut numbers)),
                2 => Kind::Text(place(&mut texts)),
                3 => Kind::Time,
                4 if detail == 1 => Kind::Moment(DateOrder::MonthFirst),
                4 => Kind::Moment(DateOrder::DayFirst),
                5 if detail == 1 => Kind::Clock(TwoFields::MinutesSeconds),
                5 => Kind::Clock(TwoFields::HoursMinutes),
                6 => Kind::Epoch(u32::from(detail)),
                _ => return Err(Error::corrupt(format!("unknown column kind {code}"))),
            };
            columns.push(Column {
                kind,
                decimal: byte(at + 2)?,
            });
        }
        let from = FIXED + 4 * count;
        let prefixes = bytes.get(from..from + word(44)?).ok_or_else(short)?;
        let block_rows = word(4)?.max(1);
        if block_rows.saturating_mul(numbers.max(1)) > MOST_NUMBERS {
            return Err(Error::limit(format!(
                "blocks of {block_rows} rows of {numbers} numbers"
            )));
        }
        let (step, tolerance) = (float(24)?, float(32)?);
        Ok(Config {
            encoding,
            separator: byte(1)?,
            quote: byte(2)?,
            comments: prefixes
                .split(|&b| b == b'\n')
                .filter(|p| !p.is_empty())
                .map(<[u8]>::to_vec)
                .collect(),
            columns,
            numbers,
            texts,
            block_rows,
            time_multiply: float(8)?,
            time_divide: float(16)?,
            expected: (step > 0.0).then_some(Expected { step, tolerance }),
            from_first: flags & 1 != 0,
            inspect_texts: flags & 2 != 0,
        })
    }

    /// True when the table has a time column.
    pub fn timed(&self) -> bool {
        self.columns
            .iter()
            .any(|c| !matches!(c.kind, Kind::Skip | Kind::Number(_) | Kind::Text(_)))
    }
}
