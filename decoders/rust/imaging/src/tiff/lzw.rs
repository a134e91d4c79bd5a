//! LZW (TIFF 6.0 section 13), and the older bit order some writers used before 1988.

use fuse_core::{buffer, Error, Result};
use fuse_raster::short;
use weezl::decode::{Configuration, Decoder};
use weezl::{BitOrder, LzwStatus};

/// Decodes until `length` bytes are there; data after them are ignored.
pub fn decode(input: &[u8], length: usize) -> Result<Vec<u8>> {
    let mut out = buffer(length, usize::MAX)?;
    let mut decoder = decoder(input);
    let (mut from, mut to) = (0, 0);
    while to < length {
        let step = decoder.decode_bytes(&input[from..], &mut out[to..]);
        from += step.consumed_in;
        to += step.consumed_out;
        match step.status {
            Ok(LzwStatus::Ok) => {}
            Ok(LzwStatus::NoProgress | LzwStatus::Done) => break,
            Err(_) => {
                return Err(Error::corrupt(format!(
                    "invalid LZW code after {to} of {length} bytes"
                ))
                .at(from))
            }
        }
    }
    if to < length {
        return Err(short(to, length));
    }
    Ok(out)
}

/// The decoder of a stream, by its first bytes.
///
/// A stream begins with a clear code: 9 bits, most significant first, so the first byte is 0x80. In
/// the old order the low bits come first and the code size changes one code later: 0x00, then odd.
pub fn decoder(input: &[u8]) -> Decoder {
    let old = matches!(input, [0, second, ..] if second & 1 == 1);
    let configuration = if old {
        Configuration::new(BitOrder::Lsb, 8)
    } else {
        Configuration::with_tiff_size_switch(BitOrder::Msb, 8)
    };
    configuration.with_yield_on_full_buffer(true).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use weezl::encode::Encoder;

    fn sample() -> Vec<u8> {
        (0..20_000u32).map(|i| ((i * i) >> 7) as u8).collect()
    }

    #[test]
    fn decodes_both_bit_orders() {
        let plain = sample();
        let new = Encoder::with_tiff_size_switch(BitOrder::Msb, 8)
            .encode(&plain)
            .unwrap();
        assert_eq!(new[0], 0x80);
        assert_eq!(decode(&new, plain.len()).unwrap(), plain);
        let old = Encoder::new(BitOrder::Lsb, 8).encode(&plain).unwrap();
        assert_eq!((old[0], old[1] & 1), (0, 1));
        assert_eq!(decode(&old, plain.len()).unwrap(), plain);
    }

    #[test]
    fn stops_at_the_wanted_length_and_reports_a_short_one() {
        let plain = sample();
        let packed = Encoder::with_tiff_size_switch(BitOrder::Msb, 8)
            .encode(&plain)
            .unwrap();
        assert_eq!(decode(&packed, 100).unwrap(), plain[..100]);
        assert!(decode(&packed, plain.len() + 1).is_err());
        assert!(decode(&packed[..packed.len() / 2], plain.len()).is_err());
        assert!(decode(&[], 1).is_err());
        assert!(decode(&[0x80, 0xff, 0xff, 0xff], 10).is_err());
    }
}
