//! LZMA2 in an .xz stream (TIFF compression 34925 of libtiff), often behind a delta filter.

use fuse_core::{buffer, Error, Result};
use fuse_raster::short;
use lzma_rust2::XzReader;
use std::io::Read;

/// Memory the dictionary may take: libtiff's highest preset uses 64 MiB.
const DICTIONARY_KIB: u32 = 256 << 10;

/// Decodes `length` bytes; data after them are ignored.
pub fn decode(input: &[u8], length: usize) -> Result<Vec<u8>> {
    let mut out = buffer(length, usize::MAX)?;
    let mut reader = reader(input);
    let mut done = 0;
    while done < length {
        match reader.read(&mut out[done..]) {
            Ok(0) => return Err(short(done, length)),
            Ok(n) => done += n,
            Err(e) => return Err(Error::corrupt(format!("invalid xz data: {e}"))),
        }
    }
    Ok(out)
}

/// The bytes of a stream as they are decoded.
pub fn reader(input: &[u8]) -> XzReader<&[u8]> {
    XzReader::new_mem_limit(input, true, DICTIONARY_KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_damaged_streams() {
        assert!(decode(b"\xfd7zXZ\0\0\x01", 10).is_err());
        assert!(decode(b"nothing", 10).is_err());
        assert!(decode(&[], 10).is_err());
    }
}
