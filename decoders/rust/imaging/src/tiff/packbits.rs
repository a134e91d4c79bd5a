//! PackBits run lengths (TIFF 6.0 section 9).

use fuse_core::{buffer, Result};
use fuse_raster::short;

/// Decodes until `length` bytes are there; data after them are ignored.
pub fn decode(input: &[u8], length: usize) -> Result<Vec<u8>> {
    let mut out = buffer(length, usize::MAX)?;
    let (mut from, mut to) = (0, 0);
    while to < length {
        let Some(&control) = input.get(from) else {
            return Err(short(to, length));
        };
        from += 1;
        match control as i8 {
            -128 => {}
            n if n >= 0 => {
                let count = (n as usize + 1).min(length - to);
                let Some(run) = input.get(from..from + count) else {
                    return Err(short(to, length).at(from));
                };
                out[to..to + count].copy_from_slice(run);
                from += n as usize + 1;
                to += count;
            }
            n => {
                let count = (1 - isize::from(n)) as usize;
                let Some(&value) = input.get(from) else {
                    return Err(short(to, length));
                };
                let end = (to + count).min(length);
                out[to..end].fill(value);
                from += 1;
                to = end;
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_the_example_of_the_specification() {
        let packed = [
            0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0xfd, 0xaa, 0x03, 0x80, 0x00, 0x2a, 0x22, 0xf7,
            0xaa,
        ];
        let plain = [
            0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0xaa, 0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0x22,
            0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
        ];
        assert_eq!(decode(&packed, 24).unwrap(), plain);
    }

    #[test]
    fn says_how_much_a_short_strip_holds() {
        let error = decode(&[0x01, 7, 7, 0x80], 4).unwrap_err();
        assert_eq!(error.message, "the chunk holds 2 of 4 bytes");
        assert!(decode(&[0x05, 1, 2], 6).is_err());
        assert!(decode(&[0xfe], 3).is_err());
    }
}
