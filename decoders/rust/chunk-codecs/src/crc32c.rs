//! CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), eight bytes a step (slicing by eight).

use fuse_core::abi::input;

const POLYNOMIAL: u32 = 0x82f6_3b78;

static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut t = [[0u32; 256]; 8];
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
    while k < 8 {
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
    let (words, rest) = data.as_chunks::<8>();
    for word in words {
        let x = u64::from_le_bytes(*word) ^ u64::from(crc);
        crc = (0..8).fold(0, |sum, k| {
            sum ^ TABLES[7 - k][((x >> (8 * k)) & 255) as usize]
        });
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
