//! The Zstandard filter (HDF5 filter 32015; RFC 8878).

use fuse_core::{buffer, Error, Result};
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::FrameDecoder;

/// Decodes frames that should hold `expected` bytes and may hold up to `limit`.
pub fn decode(data: &[u8], expected: usize, limit: usize) -> Result<Vec<u8>> {
    match decode_up_to(data, expected) {
        Err(None) => decode_up_to(data, limit).map_err(|e| {
            e.unwrap_or_else(|| Error::corrupt(format!("zstd data hold more than {limit} bytes")))
        }),
        other => other.map_err(|e| e.unwrap_or_else(|| Error::corrupt("invalid zstd data"))),
    }
}

/// Decodes into exactly `out`.
pub fn decode_exact(data: &[u8], out: &mut [u8]) -> Result<()> {
    let mut decoder = decoder(out.len());
    match decoder.decode_all(data, out) {
        Ok(n) if n == out.len() => Ok(()),
        Ok(n) => Err(Error::truncated(format!(
            "zstd data hold {n} bytes, {} are needed",
            out.len()
        ))),
        Err(e) => Err(Error::corrupt(format!("invalid zstd data: {e}"))),
    }
}

fn decoder(length: usize) -> FrameDecoder {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size((length as u64).max(128 << 20));
    decoder
}

/// `Err(None)` when there is more than fits.
fn decode_up_to(data: &[u8], length: usize) -> std::result::Result<Vec<u8>, Option<Error>> {
    let mut out = buffer(length, usize::MAX).map_err(Some)?;
    match decoder(length).decode_all(data, &mut out) {
        Ok(n) => {
            out.truncate(n);
            Ok(out)
        }
        Err(FrameDecoderError::TargetTooSmall) => Err(None),
        Err(e) => Err(Some(Error::corrupt(format!("invalid zstd data: {e}")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "fuse fuse fuse fuse\n" at level 3.
    const FRAME: [u8; 21] = [
        0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x14, 0x65, 0x00, 0x00, 0x30, 0x66, 0x75, 0x73, 0x65, 0x20,
        0x0a, 0x01, 0x00, 0x90, 0x8b, 0x16,
    ];

    #[test]
    fn decodes_frames() {
        for expected in [20, 5, 100] {
            assert_eq!(
                decode(&FRAME, expected, 200).unwrap(),
                b"fuse fuse fuse fuse\n"
            );
        }
        let mut out = [0; 20];
        decode_exact(&FRAME, &mut out).unwrap();
        assert_eq!(&out, b"fuse fuse fuse fuse\n");
    }

    #[test]
    fn refuses_what_is_too_large_or_damaged() {
        assert!(decode(&FRAME, 5, 10).is_err());
        assert!(decode(&FRAME[..10], 20, 100).is_err());
        assert!(decode(b"not zstd at all", 20, 100).is_err());
        assert!(decode_exact(&FRAME, &mut [0; 21]).is_err());
    }
}
