//! The bzip2 filter (HDF5 filter 307).

use bzip2::{Decompress, Status};
use fuse_core::{Error, Result};

/// Decodes a stream that should hold `expected` bytes and may hold up to `limit`.
pub fn decode(data: &[u8], expected: usize, limit: usize) -> Result<Vec<u8>> {
    let mut out = vec![0u8; expected.clamp(1024, limit.max(1024))];
    let mut decoder = Decompress::new(false);
    loop {
        let (read, written) = (decoder.total_in() as usize, decoder.total_out() as usize);
        let rest = data.get(read..).unwrap_or(&[]);
        let room = out.get_mut(written..).unwrap_or(&mut []);
        let status = decoder
            .decompress(rest, room)
            .map_err(|e| Error::corrupt(format!("invalid bzip2 data: {e}")).at(read))?;
        let length = decoder.total_out() as usize;
        if status == Status::StreamEnd {
            out.truncate(length);
            return Ok(out);
        }
        if length == out.len() {
            if length >= limit {
                let message = format!("bzip2 data hold more than {limit} bytes");
                return Err(Error::corrupt(message));
            }
            out.resize((length * 2).min(limit), 0);
        } else if decoder.total_in() as usize == data.len() {
            return Err(Error::truncated("bzip2 data end too early").at(data.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bzip2::{Action, Compress, Compression};

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(plain.len() + 1000);
        Compress::new(Compression::best(), 0)
            .compress_vec(plain, &mut out, Action::Finish)
            .unwrap();
        out
    }

    #[test]
    fn decodes_and_reports_damage() {
        let plain: Vec<u8> = (0..50_000u32).map(|i| ((i * i) >> 11) as u8).collect();
        let data = packed(&plain);
        for expected in [0, 3000, plain.len(), 90_000] {
            assert_eq!(decode(&data, expected, 100_000).unwrap(), plain);
        }
        assert!(decode(&data, plain.len(), 40_000).is_err());
        assert!(decode(&data[..data.len() - 9], plain.len(), 100_000).is_err());
        assert!(decode(b"BZh9garbage here", 10, 100).is_err());
    }
}
