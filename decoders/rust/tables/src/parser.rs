//! The push parser: bytes in, blocks of columns out.

use crate::config::{Config, Encoding};
use crate::rows::{Rows, Step};
use crate::utf16::Utf16;
use fuse_core::{Error, Result};

/// Longest record, and longest quoted cell; a quote that stays open past it was no quote.
const RECORD_BYTES: usize = 4 << 20;
/// Most bytes the host may hand over at once.
const PUSH_BYTES: usize = 16 << 20;

/// What the host should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    NeedsInput = 0,
    /// Take the rows, clear the block, push again.
    BlockFull = 1,
    /// All input is parsed; the block holds the last rows.
    Finished = 2,
}

pub struct Parser {
    utf16: Option<Utf16>,
    /// Bytes of the file as the host writes them, when they must be recoded first.
    staging: Vec<u8>,
    /// Text not yet parsed: `start..filled`.
    text: Vec<u8>,
    start: usize,
    filled: usize,
    last: bool,
    timed: bool,
    /// Records without any value, made rows only when another row follows them.
    pending_empty: u64,
    pub dropped_empty: u64,
    pub open_quotes: u64,
    pub rows: Rows,
}

impl Parser {
    pub fn new(config: &Config) -> Self {
        Parser {
            utf16: match config.encoding {
                Encoding::Bytes => None,
                Encoding::Utf16 { big_endian } => Some(Utf16::new(big_endian)),
            },
            staging: Vec::new(),
            text: Vec::new(),
            start: 0,
            filled: 0,
            last: false,
            timed: config.timed(),
            pending_empty: 0,
            dropped_empty: 0,
            open_quotes: 0,
            rows: Rows::new(config),
        }
    }

    /// Room for `length` bytes of the file.
    pub fn room(&mut self, length: usize) -> Result<*mut u8> {
        if length > PUSH_BYTES {
            return Err(Error::limit(format!("{length} bytes pushed at once")));
        }
        if self.utf16.is_some() {
            self.staging.resize(length, 0);
            return Ok(self.staging.as_mut_ptr());
        }
        self.text.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        if self.text.len() < self.filled + length {
            self.text.resize(self.filled + length, 0);
        }
        Ok(self.text[self.filled..].as_mut_ptr())
    }

    /// Takes the `length` bytes the host wrote (`last`: none follow) and parses until the block is full.
    pub fn push(&mut self, length: usize, last: bool) -> Result<State> {
        self.last |= last;
        match &mut self.utf16 {
            Some(utf16) => {
                self.text.copy_within(self.start..self.filled, 0);
                self.text.truncate(self.filled - self.start);
                self.start = 0;
                utf16.push(self.staging.get(..length).unwrap_or(&[]), &mut self.text);
                self.filled = self.text.len();
            }
            None => self.filled = (self.filled + length).min(self.text.len()),
        }
        while self.start < self.filled {
            if self.rows.block.full() {
                return Ok(State::BlockFull);
            }
            if self.pending_empty > 0 && self.value_ahead() {
                self.pending_empty -= 1;
                self.rows.empty_row();
                continue;
            }
            let text = &self.text[..self.filled];
            match self.rows.record(text, self.start, self.last, true) {
                Step::Short if self.filled - self.start < RECORD_BYTES && !self.last => break,
                Step::Short | Step::OpenQuote => {
                    let retry = self.rows.record(text, self.start, self.last, false);
                    self.open_quotes += 1;
                    match retry {
                        Step::Row(next) | Step::Skipped(next) | Step::Empty(next) => {
                            self.start = next;
                        }
                        Step::Short | Step::OpenQuote => {
                            return Err(Error::limit(format!(
                                "a line of more than {RECORD_BYTES} bytes"
                            )));
                        }
                    }
                }
                Step::Row(next) | Step::Skipped(next) => self.start = next,
                Step::Empty(next) => {
                    self.start = next;
                    if self.timed {
                        self.dropped_empty += 1;
                    } else {
                        self.pending_empty += 1;
                    }
                }
            }
        }
        if self.rows.block.full() {
            return Ok(State::BlockFull);
        }
        if self.last {
            self.dropped_empty += std::mem::take(&mut self.pending_empty);
            return Ok(State::Finished);
        }
        Ok(State::NeedsInput)
    }

    /// True when the next record has a value, as far as its bytes are here.
    fn value_ahead(&self) -> bool {
        self.rows.value_ahead(&self.text[self.start..self.filled])
    }
}
