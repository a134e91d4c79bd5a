//! UTF-16 to UTF-8, in pieces that may be cut anywhere.

/// Carries half a code unit or half a surrogate pair from piece to piece.
#[derive(Default)]
pub struct Utf16 {
    big_endian: bool,
    byte: Option<u8>,
    high: Option<u16>,
}

impl Utf16 {
    pub fn new(big_endian: bool) -> Self {
        Utf16 {
            big_endian,
            ..Self::default()
        }
    }

    /// Appends the text of `piece` to `out`; lone surrogates become U+FFFD, byte order marks vanish.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut bytes = piece;
        if let (Some(first), Some((&second, rest))) = (self.byte, bytes.split_first()) {
            self.byte = None;
            self.unit([first, second], out);
            bytes = rest;
        }
        let mut pairs = bytes.chunks_exact(2);
        for pair in &mut pairs {
            self.unit([pair[0], pair[1]], out);
        }
        if let [last] = pairs.remainder() {
            self.byte = Some(*last);
        }
    }

    #[inline]
    fn unit(&mut self, pair: [u8; 2], out: &mut Vec<u8>) {
        let unit = if self.big_endian {
            u16::from_be_bytes(pair)
        } else {
            u16::from_le_bytes(pair)
        };
        if unit < 0x80 && self.high.is_none() {
            out.push(unit as u8);
            return;
        }
        if let Some(high) = self.high.take() {
            if (0xdc00..0xe000).contains(&unit) {
                let point =
                    0x10000 + ((u32::from(high) - 0xd800) << 10) + (u32::from(unit) - 0xdc00);
                put(point, out);
                return;
            }
            put(0xfffd, out);
        }
        match unit {
            0xd800..=0xdbff => self.high = Some(unit),
            0xfeff => {}
            _ => put(u32::from(unit), out),
        }
    }
}

fn put(point: u32, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    let c = char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_gives_the_same_text() {
        let text = "t\u{b5}V;\u{1f40d}\r\n\u{fffd}end";
        for big in [false, true] {
            let bytes: Vec<u8> = text
                .encode_utf16()
                .flat_map(|u| {
                    if big {
                        u.to_be_bytes()
                    } else {
                        u.to_le_bytes()
                    }
                })
                .collect();
            for cut in 0..=bytes.len() {
                let mut utf16 = Utf16::new(big);
                let mut out = Vec::new();
                utf16.push(&bytes[..cut], &mut out);
                utf16.push(&bytes[cut..], &mut out);
                assert_eq!(String::from_utf8(out).unwrap(), text, "cut {cut}");
            }
        }
    }

    #[test]
    fn lone_surrogates_are_replaced() {
        let mut out = Vec::new();
        Utf16::new(false).push(&[0x00, 0xd8, 0x41, 0x00, 0x00, 0xdc], &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\u{fffd}A\u{fffd}");
    }
}
