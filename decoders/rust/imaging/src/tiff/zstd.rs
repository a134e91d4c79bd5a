//! Zstandard (RFC 8878; TIFF compression 50000 of GDAL and libtiff).

use fuse_core::{buffer, Error, Result};
use fuse_raster::short;
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::FrameDecoder;

/// Decodes `length` bytes; a longer stream is an error, for a frame states its size.
pub fn decode(input: &[u8], length: usize) -> Result<Vec<u8>> {
    let mut out = buffer(length, usize::MAX)?;
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size((length as u64).max(128 << 20));
    match decoder.decode_all(input, &mut out) {
        Ok(n) if n == length => Ok(out),
        Ok(n) => Err(short(n, length)),
        Err(FrameDecoderError::TargetTooSmall) => Ok(out),
        Err(e) => Err(Error::corrupt(format!("invalid zstd data: {e}"))),
    }
}

/// Decodes a stream of unknown length, at most `limit` bytes.
pub fn decode_all(input: &[u8], limit: usize) -> Result<Vec<u8>> {
    let mut out = buffer(limit, usize::MAX)?;
    let mut decoder = FrameDecoder::new();
    let n = decoder
        .decode_all(input, &mut out)
        .map_err(|e| Error::corrupt(format!("invalid zstd data: {e}")))?;
    out.truncate(n);
    Ok(out)
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
    fn decodes_a_frame() {
        assert_eq!(decode(&FRAME, 20).unwrap(), b"fuse fuse fuse fuse\n");
        assert!(decode(&FRAME, 21).is_err());
    }

    #[test]
    fn refuses_damaged_frames() {
        assert!(decode(&FRAME[..10], 20).is_err());
        assert!(decode(b"not zstd at all", 20).is_err());
        assert!(decode(&[], 1).is_err());
    }
}
