//! The columns of a block of rows, filled cell by cell and handed over whole.

/// Texts end to end in UTF-8, with the end of each in UTF-16 code units, so that the host decodes the
/// arena once and cuts the string.
#[derive(Default)]
pub struct Texts {
    pub bytes: Vec<u8>,
    pub ends: Vec<u32>,
    byte_ends: Vec<u32>,
}

impl Texts {
    /// Appends a cell; bytes that are no UTF-8 are taken as Windows-1252.
    pub fn push(&mut self, cell: &[u8]) {
        let start = self.ends.last().copied().unwrap_or(0);
        let units = if cell.is_ascii() {
            self.bytes.extend_from_slice(cell);
            cell.len()
        } else {
            let text = decode(cell);
            self.bytes.extend_from_slice(text.as_bytes());
            text.encode_utf16().count()
        };
        self.ends.push(start.saturating_add(units as u32));
        self.byte_ends
            .push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }

    /// Forgets all but the first `count` texts.
    pub fn truncate(&mut self, count: usize) {
        if count < self.ends.len() {
            self.ends.truncate(count);
            self.byte_ends.truncate(count);
            self.bytes
                .truncate(self.byte_ends.last().map_or(0, |&n| n as usize));
        }
    }
}

/// UTF-8 when it is, else Windows-1252.
pub fn decode(cell: &[u8]) -> std::borrow::Cow<'_, str> {
    match std::str::from_utf8(cell) {
        Ok(text) => text.into(),
        Err(_) => cell
            .iter()
            .map(|&b| windows_1252(b))
            .collect::<String>()
            .into(),
    }
}

fn windows_1252(byte: u8) -> char {
    const HIGH: [u16; 32] = [
        0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039,
        0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
        0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
    ];
    match byte {
        0x80..=0x9f => {
            char::from_u32(u32::from(HIGH[usize::from(byte - 0x80)])).unwrap_or('\u{fffd}')
        }
        _ => char::from(byte),
    }
}

/// Rows parsed and not yet handed over.
pub struct Block {
    pub rows: usize,
    pub capacity: usize,
    /// Distance between number columns; more than the capacity, so that columns do not share cache sets.
    pub stride: usize,
    pub numbers: Vec<f64>,
    pub time: Vec<f64>,
    pub texts: Vec<Texts>,
    text_bytes: usize,
}

/// Text a block may hold before it is handed over early.
const TEXT_BYTES: usize = 4 << 20;

impl Block {
    pub fn new(capacity: usize, numbers: usize, texts: usize, timed: bool) -> Self {
        let stride = capacity + 8;
        Block {
            rows: 0,
            capacity,
            stride,
            numbers: vec![f64::NAN; stride * numbers],
            time: vec![f64::NAN; if timed { capacity } else { 0 }],
            texts: (0..texts).map(|_| Texts::default()).collect(),
            text_bytes: 0,
        }
    }

    #[inline]
    pub fn number(&mut self, column: usize, value: f64) {
        self.numbers[column * self.stride + self.rows] = value;
    }

    /// Ends the row being filled; every column must have its cell.
    pub fn end_row(&mut self, time: Option<f64>) {
        if let (Some(t), Some(place)) = (time, self.time.get_mut(self.rows)) {
            *place = t;
        }
        self.rows += 1;
        if !self.texts.is_empty() {
            self.text_bytes = self.texts.iter().map(|t| t.bytes.len()).sum();
        }
    }

    pub fn full(&self) -> bool {
        self.rows >= self.capacity || self.text_bytes > TEXT_BYTES
    }

    pub fn clear(&mut self) {
        self.rows = 0;
        self.text_bytes = 0;
        self.texts.iter_mut().for_each(|t| t.truncate(0));
    }

    /// Takes back the cells of a row that was not ended.
    pub fn drop_row(&mut self) {
        let rows = self.rows;
        self.texts.iter_mut().for_each(|t| t.truncate(rows));
    }
}

/// Cells that did not fit their column, and lines that are no rows: the first thousand, word for word.
#[derive(Default)]
pub struct Strays {
    pub count: u64,
    pub rows: Vec<f64>,
    /// Column of the file from 0, or [`COMMENT`].
    pub columns: Vec<u32>,
    pub texts: Texts,
}

/// "Column" of a comment line among the rows.
pub const COMMENT: u32 = u32::MAX;
const KEPT: usize = 1000;
const KEPT_BYTES: usize = 4096;

impl Strays {
    pub fn push(&mut self, row: u64, column: u32, cell: &[u8]) {
        self.count += 1;
        if self.rows.len() < KEPT {
            self.rows.push(row as f64);
            self.columns.push(column);
            self.texts.push(&cell[..cell.len().min(KEPT_BYTES)]);
        }
    }

    /// Forgets what came after the count was `count`.
    pub fn back_to(&mut self, count: u64) {
        let kept = usize::try_from(count).unwrap_or(usize::MAX);
        self.count = count;
        self.rows.truncate(kept);
        self.columns.truncate(kept);
        self.texts.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_count_code_units_and_accept_any_bytes() {
        let mut texts = Texts::default();
        texts.push("\u{b5}V".as_bytes());
        texts.push(b"\xb5V\x80");
        texts.push("\u{1f40d}".as_bytes());
        assert_eq!(texts.ends, [2, 5, 7]);
        texts.truncate(2);
        texts.push(b"z");
        assert_eq!(texts.ends, [2, 5, 6]);
        assert_eq!(
            String::from_utf8(texts.bytes).unwrap(),
            "\u{b5}V\u{b5}V\u{20ac}z"
        );
    }

    #[test]
    fn strays_are_counted_past_the_kept_thousand() {
        let mut strays = Strays::default();
        for i in 0..1500 {
            strays.push(i, 3, b"x");
        }
        assert_eq!((strays.count, strays.rows.len()), (1500, 1000));
    }
}
