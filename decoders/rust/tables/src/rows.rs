//! Records to rows: finds the cells of one record and files each in its column.

use crate::block::{Block, Strays, COMMENT};
use crate::clock::{RowClock, RowTime};
use crate::config::{Column, Config, Kind};
use crate::moment::{read_clock, read_epoch, read_moment};
use crate::number::{number_at, read_cell, trim, Cell};

/// What one step over the input did; the number is where the next record starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Row(usize),
    /// A blank line or a comment.
    Skipped(usize),
    /// A record whose cells are all empty; no row was made.
    Empty(usize),
    /// The record is not complete in the bytes given; nothing was kept.
    Short,
    /// A quote is still open at the end of the last bytes.
    OpenQuote,
}

/// What follows a cell.
enum After {
    Cell(usize),
    End(usize),
    Short,
    OpenQuote,
    /// The cell goes on.
    Neither,
}

/// Where the content of a cell lies.
enum Content {
    Input(usize, usize),
    Unquoted,
}

/// Counts of a column.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    pub filled: u64,
    pub bad: u64,
    /// Texts that are numbers.
    pub numeric: u64,
}

/// The rows so far, and what was odd about them.
pub struct Rows {
    columns: Vec<Column>,
    separator: u8,
    quote: u8,
    comments: Vec<Vec<u8>>,
    inspect_texts: bool,
    timed: bool,
    unquoted: Vec<u8>,
    /// Cells of the present record that were counted when it was first met, incomplete.
    tallied: usize,
    pub block: Block,
    pub clock: RowClock,
    pub strays: Strays,
    pub tallies: Vec<Tally>,
    /// Rows made since the start of the table.
    pub total: u64,
    pub comment_lines: u64,
    pub short_rows: u64,
    pub long_rows: u64,
    pub rounded: u64,
}

const EXTRA: Column = Column {
    kind: Kind::Skip,
    decimal: b'.',
};

#[inline]
fn is_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

impl Rows {
    pub fn new(config: &Config) -> Self {
        Rows {
            separator: config.separator,
            quote: config.quote,
            comments: config.comments.clone(),
            inspect_texts: config.inspect_texts,
            timed: config.timed(),
            unquoted: Vec::new(),
            tallied: 0,
            block: Block::new(
                config.block_rows,
                config.numbers,
                config.texts,
                config.timed(),
            ),
            clock: RowClock::new(config),
            strays: Strays::default(),
            tallies: vec![Tally::default(); config.columns.len()],
            columns: config.columns.clone(),
            total: 0,
            comment_lines: 0,
            short_rows: 0,
            long_rows: 0,
            rounded: 0,
        }
    }

    #[inline]
    fn is_blank(&self, byte: u8) -> bool {
        byte == b' ' || (byte == b'\t' && self.separator != b'\t')
    }

    #[inline]
    fn skip_blanks(&self, b: &[u8], mut at: usize) -> usize {
        while at < b.len() && self.is_blank(b[at]) {
            at += 1;
        }
        at
    }

    /// Takes one record at `at`; `last` says that no bytes follow `b`, `quoting` that quotes count.
    pub fn record(&mut self, b: &[u8], at: usize, last: bool, quoting: bool) -> Step {
        let first = self.skip_blanks(b, at);
        match b.get(first) {
            None if last => return Step::Skipped(b.len()),
            None => return Step::Short,
            Some(&c) if is_end(c) => return Step::Skipped(first + 1),
            _ => {}
        }
        if !self.comments.is_empty() {
            if let Some(step) = self.comment(b, first, last) {
                return step;
            }
        }
        let strays = self.strays.count;
        let tally = |rows: &mut Self, column: usize, bad: bool| {
            if column < rows.tallied {
                return;
            }
            if let Some(t) = rows.tallies.get_mut(column) {
                t.filled += 1;
                t.bad += u64::from(bad);
            }
        };
        let mut time = RowTime::default();
        let mut filled = false;
        let mut extra = false;
        let mut column = 0;
        let mut p = if self.separator == 0 { first } else { at };
        let end = loop {
            let Column { kind, decimal } = self.columns.get(column).copied().unwrap_or(EXTRA);
            let mut after = After::Neither;
            if let Kind::Number(_) | Kind::Time = kind {
                let start = self.skip_blanks(b, p);
                if let Some(found) = number_at(b, start, decimal) {
                    after = self.after(b, found.end, last);
                    if let After::Cell(_) | After::End(_) = after {
                        match kind {
                            Kind::Number(i) => self.block.number(i, found.value),
                            _ => time.number = Some(found.value),
                        }
                        self.rounded += u64::from(found.rounded && column >= self.tallied);
                        filled = true;
                        tally(self, column, false);
                    }
                }
            }
            if let After::Neither = after {
                let content;
                (content, after) = self.cell(b, p, last, quoting);
                if let After::Cell(_) | After::End(_) = after {
                    let unquoted = std::mem::take(&mut self.unquoted);
                    let cell = match content {
                        Content::Input(from, to) => trim(&b[from..to]),
                        Content::Unquoted => &unquoted,
                    };
                    if !trim(cell).is_empty() {
                        filled = true;
                        let bad = self.file(column, cell, &mut time);
                        tally(self, column, bad);
                        if column >= self.columns.len() {
                            extra = true;
                        }
                        if bad || column >= self.columns.len() {
                            let number = u32::try_from(column).unwrap_or(COMMENT - 1);
                            self.strays.push(self.total, number, cell);
                        }
                    } else {
                        self.leave_empty(kind);
                    }
                    self.unquoted = unquoted;
                }
            }
            match after {
                After::Cell(next) => p = next,
                After::End(next) => break next,
                After::OpenQuote | After::Short | After::Neither => {
                    self.block.drop_row();
                    self.strays.back_to(strays);
                    self.tallied = self.tallied.max(column);
                    return if let After::OpenQuote = after {
                        Step::OpenQuote
                    } else {
                        Step::Short
                    };
                }
            }
            column += 1;
        };
        self.tallied = 0;
        if !filled {
            self.block.drop_row();
            return Step::Empty(end);
        }
        let mut short = false;
        for i in column + 1..self.columns.len() {
            let kind = self.columns[i].kind;
            short |= !matches!(kind, Kind::Skip | Kind::Text(_));
            self.leave_empty(kind);
        }
        self.short_rows += u64::from(short);
        self.long_rows += u64::from(extra);
        self.end_row(&time);
        Step::Row(end)
    }

    /// True when the record at the start of `b` has a character that is no separator, blank or quote.
    pub fn value_ahead(&self, b: &[u8]) -> bool {
        let nothing = |c: u8| c == self.separator || c == self.quote || self.is_blank(c);
        let first = b.iter().position(|&c| !nothing(c));
        first.is_some_and(|i| !is_end(b[i]) && !self.comments.iter().any(|p| b[i..].starts_with(p)))
    }

    /// Makes a row without any value.
    pub fn empty_row(&mut self) {
        for i in 0..self.columns.len() {
            self.leave_empty(self.columns[i].kind);
        }
        self.end_row(&RowTime::default());
    }

    fn end_row(&mut self, time: &RowTime) {
        let seconds = self.timed.then(|| self.clock.seconds(self.total, time));
        self.block.end_row(seconds);
        self.total += 1;
    }

    fn comment(&mut self, b: &[u8], at: usize, last: bool) -> Option<Step> {
        let rest = &b[at..];
        let hit = self.comments.iter().any(|p| rest.starts_with(p));
        if !hit {
            let cut = !last && self.comments.iter().any(|p| p.starts_with(rest));
            return cut.then_some(Step::Short);
        }
        let length = match rest.iter().position(|&c| is_end(c)) {
            Some(n) => n,
            None if last => rest.len(),
            None => return Some(Step::Short),
        };
        self.strays.push(self.total, COMMENT, &rest[..length]);
        self.comment_lines += 1;
        Some(Step::Skipped(at + length))
    }

    /// What follows a cell that ends at `at`.
    #[inline]
    fn after(&self, b: &[u8], at: usize, last: bool) -> After {
        // Most cells are followed by their separator at once.
        if b.get(at) == Some(&self.separator) && self.separator != 0 {
            return After::Cell(at + 1);
        }
        let next = self.skip_blanks(b, at);
        match b.get(next) {
            None if last => After::End(b.len()),
            None => After::Short,
            Some(&c) if is_end(c) => After::End(next + 1),
            Some(&c) if self.separator != 0 && c == self.separator => After::Cell(next + 1),
            Some(_) if self.separator == 0 && next > at => After::Cell(next),
            _ => After::Neither,
        }
    }

    /// Finds the cell that starts at `from`, whatever it holds.
    fn cell(&mut self, b: &[u8], from: usize, last: bool, quoting: bool) -> (Content, After) {
        let start = self.skip_blanks(b, from);
        if quoting && self.quote != 0 && b.get(start) == Some(&self.quote) {
            return (Content::Unquoted, self.quoted(b, start + 1, last));
        }
        let end = self.cell_end(b, start);
        let after = match self.after(b, end, last) {
            After::Neither => After::Short,
            other => other,
        };
        (Content::Input(start, end), after)
    }

    fn cell_end(&self, b: &[u8], from: usize) -> usize {
        let blank_ends = self.separator == 0;
        let mut p = from;
        while p < b.len() {
            let c = b[p];
            let separates = if blank_ends {
                self.is_blank(c)
            } else {
                c == self.separator
            };
            if is_end(c) || separates {
                break;
            }
            p += 1;
        }
        p
    }

    /// Copies a quoted cell without its quotes; text behind the closing quote is kept too.
    fn quoted(&mut self, b: &[u8], from: usize, last: bool) -> After {
        self.unquoted.clear();
        let open = if last { After::OpenQuote } else { After::Short };
        let mut p = from;
        loop {
            let Some(length) = b[p..].iter().position(|&c| c == self.quote) else {
                return open;
            };
            self.unquoted.extend_from_slice(&b[p..p + length]);
            p += length + 1;
            match b.get(p) {
                None if !last => return After::Short,
                Some(&c) if c == self.quote => {
                    self.unquoted.push(c);
                    p += 1;
                }
                _ => break,
            }
        }
        match self.after(b, p, last) {
            After::Neither => {
                let end = self.cell_end(b, p);
                self.unquoted.extend_from_slice(&b[p..end]);
                match self.after(b, end, last) {
                    After::Neither => After::Short,
                    other => other,
                }
            }
            other => other,
        }
    }

    /// Files a cell that is not empty; true when it does not fit its column.
    fn file(&mut self, column: usize, cell: &[u8], time: &mut RowTime) -> bool {
        let Column { kind, decimal } = self.columns.get(column).copied().unwrap_or(EXTRA);
        let part = |moment: Option<i128>, time: &mut RowTime| {
            if let Some(ns) = moment {
                time.sum = time.sum.saturating_add(ns);
                time.parts += 1;
            }
            moment.is_none()
        };
        match kind {
            Kind::Skip => false,
            Kind::Text(i) => {
                self.block.texts[i].push(cell);
                let inspect = self.inspect_texts && column >= self.tallied;
                if inspect && matches!(read_cell(cell, decimal), Cell::Value(_)) {
                    if let Some(t) = self.tallies.get_mut(column) {
                        t.numeric += 1;
                    }
                }
                false
            }
            Kind::Number(_) | Kind::Time => {
                let (value, bad) = match read_cell(cell, decimal) {
                    Cell::Value(v) => (v, false),
                    Cell::Rounded(v) => {
                        self.rounded += u64::from(column >= self.tallied);
                        (v, false)
                    }
                    Cell::Missing => (f64::NAN, false),
                    Cell::Bad => (f64::NAN, true),
                };
                match kind {
                    Kind::Number(i) => self.block.number(i, value),
                    _ => time.number = (!value.is_nan()).then_some(value),
                }
                bad
            }
            Kind::Moment(order) => part(read_moment(cell, order), time),
            Kind::Clock(two) => part(read_clock(cell, two), time),
            Kind::Epoch(exponent) => part(read_epoch(cell, exponent, decimal), time),
        }
    }

    fn leave_empty(&mut self, kind: Kind) {
        match kind {
            Kind::Number(i) => self.block.number(i, f64::NAN),
            Kind::Text(i) => self.block.texts[i].push(b""),
            _ => {}
        }
    }
}
