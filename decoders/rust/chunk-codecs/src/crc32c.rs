//! CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), sixteen bytes a step (slicing by sixteen).

use fuse_core::abi::input;

const POLYNOMIAL: u32 = 0x82f6_3b78;
const SLICES: usize = 16;

static TABLES: [[u32; 256]; SLICES] = tables();

const fn tables() -> [[u32; 256]; SLICES] {
    let mut t = [[0u32; 256]; SLICES];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 != 0 {
                (crc >> 1) ^ POLYNOMIAL
            } else {
                crc >> 1
            };
            bit += 1;
        }
        t[0][i] = crc;
        i += 1;
    }
    let mut k = 1;
    while k < SLICES {
        let mut i = 0;
        while i < 256 {
            t[k][i] = (t[k - 1][i] >> 8) ^ t[0][(t[k - 1][i] & 255) as usize];
            i += 1;
        }
        k += 1;
    }
    t
}

/// The checksum of `data` continued from `seed`, the checksum of what came before (0 at the start).
pub fn crc32c(data: &[u8], seed: u32) -> u32 {
    let mut crc = !seed;
    let (steps, rest) = data.as_chunks::<SLICES>();
    for step in steps {
        let x = u128::from_le_bytes(*step) ^ u128::from(crc);
        let (low, high) = (x as u64, (x >> 64) as u64);
        crc = 0;
        for k in 0..8 {
            crc ^= TABLES[15 - k][((low >> (8 * k)) & 255) as usize];
            crc ^= TABLES[7 - k][((high >> (8 * k)) & 255) as usize];
        }
    }
    for &byte in rest {
        crc = (crc >> 8) ^ TABLES[0][((crc ^ u32::from(byte)) & 255) as usize];
    }
    !crc
}

/// # Safety
/// The pointer must be readable for the length given.
#[export_name = "crc32c"]
pub unsafe extern "C" fn crc32c_export(data: *const u8, length: usize, seed: u32) -> u32 {
    crc32c(input(data, length), seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn check_values_of_the_standard() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(&[0; 32], 0), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32], 0), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789", 0), 0xe306_9283);
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&rising, 0), 0x46dd_794e);
    }

    #[test]
    fn any_cut_gives_the_same() {
        let data = Random::new(6).bytes(300);
        for cut in 0..300 {
            assert_eq!(
                crc32c(&data[cut..], crc32c(&data[..cut], 0)),
                crc32c(&data, 0)
            );
        }
    }
}
