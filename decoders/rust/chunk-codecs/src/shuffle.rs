//! The two filters Blosc applies before the compressor: bytes by significance, and bits by significance.

/// Byte shuffle: all first bytes of the elements, then all second bytes, ...; a rest shorter than an
/// element follows unchanged. `dst` is as long as `src`.
pub fn shuffle(size: usize, src: &[u8], dst: &mut [u8]) {
    let dst = &mut dst[..src.len()];
    let n = src.len() / size;
    for j in 0..size {
        for i in 0..n {
            dst[j * n + i] = src[i * size + j];
        }
    }
    dst[n * size..].copy_from_slice(&src[n * size..]);
}

/// Undoes [`shuffle`].
pub fn unshuffle(size: usize, src: &[u8], dst: &mut [u8]) {
    let dst = &mut dst[..src.len()];
    let n = src.len() / size;
    for j in 0..size {
        for i in 0..n {
            dst[i * size + j] = src[j * n + i];
        }
    }
    dst[n * size..].copy_from_slice(&src[n * size..]);
}

/// Bit shuffle: bit 0 of all first bytes, bit 1 of all first bytes, ...; the first element is the
/// lowest bit of a plane's first byte. Only when the number of elements is a multiple of eight,
/// as c-blosc has it (otherwise the block is copied); a rest shorter than an element follows unchanged.
pub fn bitshuffle(size: usize, src: &[u8], dst: &mut [u8]) {
    let dst = &mut dst[..src.len()];
    let n = src.len() / size;
    if !n.is_multiple_of(8) {
        return dst.copy_from_slice(src);
    }
    let plane = n / 8;
    for j in 0..size {
        for g in 0..plane {
            let mut x = 0u64;
            for e in 0..8 {
                x |= u64::from(src[(g * 8 + e) * size + j]) << (8 * e);
            }
            for (b, byte) in transpose8(x).to_le_bytes().into_iter().enumerate() {
                dst[(j * 8 + b) * plane + g] = byte;
            }
        }
    }
    dst[n * size..].copy_from_slice(&src[n * size..]);
}

/// Undoes [`bitshuffle`].
pub fn bitunshuffle(size: usize, src: &[u8], dst: &mut [u8]) {
    let dst = &mut dst[..src.len()];
    let n = src.len() / size;
    if !n.is_multiple_of(8) {
        return dst.copy_from_slice(src);
    }
    let plane = n / 8;
    for j in 0..size {
        for g in 0..plane {
            let mut x = 0u64;
            for b in 0..8 {
                x |= u64::from(src[(j * 8 + b) * plane + g]) << (8 * b);
            }
            for (e, byte) in transpose8(x).to_le_bytes().into_iter().enumerate() {
                dst[(g * 8 + e) * size + j] = byte;
            }
        }
    }
    dst[n * size..].copy_from_slice(&src[n * size..]);
}

/// Transposes an 8 x 8 bit matrix whose rows are the bytes of `x` (Hacker's Delight, 7-3).
#[inline(always)]
fn transpose8(mut x: u64) -> u64 {
    let t = (x ^ (x >> 7)) & 0x00aa_00aa_00aa_00aa;
    x ^= t ^ (t << 7);
    let t = (x ^ (x >> 14)) & 0x0000_cccc_0000_cccc;
    x ^= t ^ (t << 14);
    let t = (x ^ (x >> 28)) & 0x0000_0000_f0f0_f0f0;
    x ^ t ^ (t << 28)
}
