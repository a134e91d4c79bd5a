//! CCITT bilevel compressions: modified Huffman rows (TIFF 2 and 32771), Group 3 in one or two
//! dimensions (3) and Group 4 (4).
//!
//! Source: ITU-T Recommendations T.4 and T.6; TIFF 6.0 sections 10 and 11. The code tables are those
//! of the `fax` crate; rows are put together here because TIFF has variants it does not read.

use fax::maps::{black, mode, white, Mode};
use fax::BitReader;
use fuse_core::{buffer, Error, Result};
use fuse_raster::short;

/// T4Options: rows may be coded against the row above.
const TWO_DIMENSIONAL: u32 = 1;

/// Bits of a slice; zeros stand behind its end so that the last code can be looked up.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn bit(&self, at: usize) -> u16 {
        self.bytes
            .get(at / 8)
            .map_or(0, |b| u16::from(b >> (7 - at % 8) & 1))
    }

    fn ended(&self) -> bool {
        self.at >= self.bytes.len() * 8
    }

    fn align(&mut self, bits: usize) {
        self.at = self.at.next_multiple_of(bits);
    }

    /// Skips fill bits and the end-of-line code when it comes next.
    fn skip_end_of_line(&mut self) -> bool {
        let mut zeros = 0;
        while self.at + zeros < self.bytes.len() * 8 && self.bit(self.at + zeros) == 0 {
            zeros += 1;
        }
        let found = zeros >= 11 && self.at + zeros < self.bytes.len() * 8;
        if found {
            self.at += zeros + 1;
        }
        found
    }

    /// Goes on to the next end-of-line code, or to the end.
    fn seek_end_of_line(&mut self) {
        let mut zeros = 0;
        while !self.ended() {
            let bit = self.bit(self.at);
            self.at += 1;
            if bit == 0 {
                zeros += 1;
            } else if zeros >= 11 {
                self.at -= 12;
                return;
            } else {
                zeros = 0;
            }
        }
    }
}

impl BitReader for Reader<'_> {
    type Error = ();

    fn peek(&self, bits: u8) -> Option<u16> {
        if bits == 0 || bits > 16 {
            return None;
        }
        let byte = |i: usize| self.bytes.get(self.at / 8 + i).map_or(0, |b| u32::from(*b));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        Some((word >> (24 - self.at % 8 - bits as usize)) as u16 & (u16::MAX >> (16 - bits)))
    }

    fn consume(&mut self, bits: u8) -> std::result::Result<(), ()> {
        self.at += bits as usize;
        if self.at > self.bytes.len() * 8 {
            return Err(());
        }
        Ok(())
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        (8 - self.at % 8) as u8 % 8
    }
}

/// Decodes `rows` rows of `width` pixels to packed bits, 1 where the fax is black.
pub fn decode(
    input: &[u8],
    compression: u32,
    options: u32,
    width: usize,
    rows: usize,
) -> Result<Vec<u8>> {
    let row_bytes = width.div_ceil(8);
    let mut out = buffer(row_bytes * rows, usize::MAX)?;
    let mut reader = Reader {
        bytes: input,
        at: 0,
    };
    // Positions where the colour changes, from white to black first.
    let mut above: Vec<usize> = Vec::new();
    let mut line: Vec<usize> = Vec::new();
    let mut good = 0;
    for y in 0..rows {
        let mut flat = true;
        match compression {
            2 => reader.align(8),
            32771 => reader.align(16),
            3 => {
                let marked = reader.skip_end_of_line();
                if options & TWO_DIMENSIONAL != 0 && marked {
                    flat = reader.bit(reader.at) == 1;
                    reader.at += 1;
                }
                // Two end-of-line codes in a row return to control: the page is over.
                if marked && reader.peek(12) == Some(1) {
                    break;
                }
            }
            _ => flat = false,
        }
        if reader.ended() {
            return Err(short(y * row_bytes, row_bytes * rows));
        }
        line.clear();
        let whole = if flat {
            runs(&mut reader, width, &mut line)
        } else {
            modes(&mut reader, width, &above, &mut line)
        };
        match whole {
            Line::Whole => good += 1,
            Line::End => break,
            Line::Bad if compression == 3 => reader.seek_end_of_line(),
            Line::Bad => {
                return Err(Error::corrupt(format!("invalid fax code in row {y}")).at(reader.at / 8))
            }
        }
        paint(&line, width, &mut out[y * row_bytes..(y + 1) * row_bytes]);
        std::mem::swap(&mut above, &mut line);
    }
    if good == 0 {
        return Err(Error::corrupt("no row of the fax data can be decoded"));
    }
    Ok(out)
}

enum Line {
    Whole,
    /// The end of the block was coded.
    End,
    Bad,
}

/// One run: make-up codes and a terminating one.
fn run(reader: &mut Reader, is_black: bool) -> Option<usize> {
    let mut total = 0usize;
    loop {
        let n = if is_black {
            black::decode(reader)
        } else {
            white::decode(reader)
        }?;
        total += n as usize;
        if n < 64 {
            return Some(total);
        }
        if total > 1 << 24 {
            return None;
        }
    }
}

/// A row of runs, white first.
fn runs(reader: &mut Reader, width: usize, line: &mut Vec<usize>) -> Line {
    let (mut at, mut is_black) = (0, false);
    while at < width {
        let Some(n) = run(reader, is_black) else {
            return Line::Bad;
        };
        at += n;
        line.push(at.min(width));
        is_black = !is_black;
    }
    Line::Whole
}

/// A row coded against the one above (T.4 section 4.2, T.6).
fn modes(reader: &mut Reader, width: usize, above: &[usize], line: &mut Vec<usize>) -> Line {
    let mut a0: Option<usize> = None;
    let mut is_black = false;
    loop {
        let from = a0.unwrap_or(0);
        if from >= width {
            return Line::Whole;
        }
        // b1: the first change above, right of a0, to the colour opposite of the present one.
        let mut i = above.partition_point(|&b| if a0.is_none() { false } else { b <= from });
        if i % 2 != usize::from(is_black) {
            i += 1;
        }
        let b1 = above.get(i).copied().unwrap_or(width).min(width);
        let b2 = above.get(i + 1).copied().unwrap_or(width).min(width);
        match mode::decode(reader) {
            Some(Mode::Pass) => a0 = Some(b2),
            Some(Mode::Vertical(d)) => {
                let a1 = b1 as isize + isize::from(d);
                if a1 < from as isize || a1 > width as isize {
                    return Line::Bad;
                }
                line.push(a1 as usize);
                a0 = Some(a1 as usize);
                is_black = !is_black;
            }
            Some(Mode::Horizontal) => {
                let Some(first) = run(reader, is_black) else {
                    return Line::Bad;
                };
                let Some(second) = run(reader, !is_black) else {
                    return Line::Bad;
                };
                let a1 = (from + first).min(width);
                let a2 = (a1 + second).min(width);
                line.extend([a1, a2]);
                a0 = Some(a2);
            }
            Some(Mode::EOF) => return Line::End,
            _ => return Line::Bad,
        }
    }
}

/// Sets the black runs of a row of zeros.
fn paint(line: &[usize], width: usize, row: &mut [u8]) {
    for pair in line.chunks(2) {
        let (from, to) = (pair[0], pair.get(1).copied().unwrap_or(width));
        let to = to.min(width);
        if from >= to {
            continue;
        }
        let (first, last) = (from / 8, (to - 1) / 8);
        let (head, tail) = (0xffu8 >> (from % 8), 0xffu8 << (7 - (to - 1) % 8));
        if first == last {
            row[first] |= head & tail;
        } else {
            row[first] |= head;
            row[first + 1..last].fill(0xff);
            row[last] |= tail;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(text: &str) -> Vec<u8> {
        let mut text: String = text.chars().filter(|c| *c != ' ').collect();
        while !text.len().is_multiple_of(8) {
            text.push('0');
        }
        text.as_bytes()
            .chunks(8)
            .map(|c| u8::from_str_radix(std::str::from_utf8(c).unwrap(), 2).unwrap())
            .collect()
    }

    #[test]
    fn decodes_rows_of_runs() {
        // 3 white (1000), 2 black (11), 3 white (1000), then the row aligned anew: 0 white, 8 black.
        let input = bits("1000 11 1000 000000 00110101 000101");
        assert_eq!(decode(&input, 2, 0, 8, 2).unwrap(), [0b0001_1000, 0xff]);
        let eol = "000000000001";
        let input = bits(&format!("{eol} 1000 11 1000 {eol} 00110101 000101"));
        assert_eq!(decode(&input, 3, 0, 8, 2).unwrap(), [0b0001_1000, 0xff]);
    }

    #[test]
    fn decodes_two_dimensional_rows() {
        // Horizontal 3 white 2 black, V0 to the end; then V0 V0 V0 repeats it; then EOFB.
        let input = bits("001 1000 11 1 1 1 1 000000000001 000000000001");
        assert_eq!(
            decode(&input, 4, 0, 8, 3).unwrap(),
            [0b0001_1000, 0b0001_1000, 0]
        );
        let eol = "000000000001";
        let mixed = bits(&format!("{eol}1 1000 11 1000 {eol}0 1 1 1"));
        assert_eq!(
            decode(&mixed, 3, 1, 8, 2).unwrap(),
            [0b0001_1000, 0b0001_1000]
        );
    }

    #[test]
    fn paints_runs_of_any_place_and_length() {
        for from in 0..30 {
            for to in from..30 {
                let mut row = [0u8; 4];
                paint(&[from, to], 30, &mut row);
                for x in 0..32 {
                    let black = row[x / 8] & (0x80 >> (x % 8)) != 0;
                    assert_eq!(black, x >= from && x < to, "{from}..{to} at {x}");
                }
            }
        }
    }

    #[test]
    fn refuses_nonsense() {
        assert!(decode(&[], 4, 0, 8, 1).is_err());
        assert!(decode(&[0; 8], 4, 0, 8, 1).is_err());
        assert!(decode(&[0; 8], 3, 0, 8, 4).is_err());
        // Two rows where three are wanted, and the end neither coded nor reached.
        let eol = "000000000001";
        let two = format!("{eol} 1000 11 1000 {eol} 00110101 000101");
        assert!(decode(&bits(&two), 3, 0, 8, 3).is_err());
        let ended = format!("{two} {eol} {eol}");
        assert_eq!(
            decode(&bits(&ended), 3, 0, 8, 3).unwrap(),
            [0b0001_1000, 0xff, 0]
        );
    }
}
