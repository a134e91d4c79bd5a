//! The fletcher32 filter (HDF5 filter 3): a checksum behind the data.

use fuse_core::{Error, Result};

/// Checks the checksum and gives the length of the data before it.
pub fn check(data: &[u8]) -> Result<usize> {
    let Some(length) = data.len().checked_sub(4) else {
        return Err(Error::truncated("a chunk is shorter than its checksum").at(data.len()));
    };
    let (body, tail) = data.split_at(length);
    let stored = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
    let found = checksum(body);
    // Libraries before 1.6.3 on big-endian machines swapped the bytes of each half.
    let swapped = ((found & 0x00ff_00ff) << 8) | ((found >> 8) & 0x00ff_00ff);
    if stored != found && stored != swapped {
        return Err(Error::corrupt(format!(
            "a chunk does not match its checksum: {found:08x}, {stored:08x} is stored"
        )));
    }
    Ok(length)
}

/// Fletcher's checksum over big-endian 16-bit words.
pub fn checksum(data: &[u8]) -> u32 {
    let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
    let (mut a, mut b) = (0u32, 0u32);
    // 360 words keep both sums within 32 bits.
    let mut words = data.chunks_exact(2);
    let mut left = 360;
    for word in words.by_ref() {
        a += u32::from(u16::from_be_bytes([word[0], word[1]]));
        b += a;
        left -= 1;
        if left == 0 {
            (a, b, left) = (fold(a), fold(b), 360);
        }
    }
    (a, b) = (fold(a), fold(b));
    if let [last] = words.remainder() {
        a += u32::from(*last) << 8;
        b += a;
    }
    (a, b) = (fold(fold(a)), fold(fold(b)));
    (b << 16) | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_checksum() {
        // Wikipedia's "abcde" example has little-endian words; these are big-endian ones.
        assert_eq!(checksum(&[0, 1, 0, 2]), (4 << 16) | 3);
        assert_eq!(checksum(&[]), 0);
        assert_eq!(checksum(&[1]), (0x100 << 16) | 0x100);
    }

    #[test]
    fn accepts_both_byte_orders_and_nothing_else() {
        let body: Vec<u8> = (0..1001u32).map(|i| (i * 7) as u8).collect();
        let sum = checksum(&body);
        let mut data = body.clone();
        data.extend_from_slice(&sum.to_le_bytes());
        assert_eq!(check(&data).unwrap(), 1001);
        let swapped = ((sum & 0x00ff_00ff) << 8) | ((sum >> 8) & 0x00ff_00ff);
        data[1001..].copy_from_slice(&swapped.to_le_bytes());
        assert_eq!(check(&data).unwrap(), 1001);
        data[500] ^= 1;
        assert!(check(&data).is_err());
        assert!(check(&[1, 2]).is_err());
    }
}
