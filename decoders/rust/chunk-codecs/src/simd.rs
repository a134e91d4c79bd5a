//! Sixteen bytes at a time: one vector type with the few operations the kernels need, as SIMD128
//! instructions in wasm and as plain code elsewhere, so that native tests run the same algorithms.

#[cfg(target_arch = "wasm32")]
mod imp {
    use core::arch::wasm32::*;

    /// Sixteen bytes.
    pub type V = v128;

    /// # Safety
    /// 16 bytes must be readable at `at`.
    #[inline(always)]
    pub unsafe fn load(at: *const u8) -> V {
        v128_load(at.cast())
    }
    /// # Safety
    /// 16 bytes must be writable at `at`.
    #[inline(always)]
    pub unsafe fn store(at: *mut u8, v: V) {
        v128_store(at.cast(), v)
    }
    #[inline(always)]
    pub fn splat8(x: u8) -> V {
        u8x16_splat(x)
    }
    #[inline(always)]
    pub fn splat16(x: u16) -> V {
        u16x8_splat(x)
    }
    #[inline(always)]
    pub fn and(a: V, b: V) -> V {
        v128_and(a, b)
    }
    #[inline(always)]
    pub fn or(a: V, b: V) -> V {
        v128_or(a, b)
    }
    #[inline(always)]
    pub fn xor(a: V, b: V) -> V {
        v128_xor(a, b)
    }
    #[inline(always)]
    pub fn shl16(a: V, bits: u32) -> V {
        u16x8_shl(a, bits)
    }
    #[inline(always)]
    pub fn shr16(a: V, bits: u32) -> V {
        u16x8_shr(a, bits)
    }
    #[inline(always)]
    pub fn splat32(x: u32) -> V {
        u32x4_splat(x)
    }
    #[inline(always)]
    pub fn shr32(a: V, bits: u32) -> V {
        u32x4_shr(a, bits)
    }
    #[inline(always)]
    pub fn sar32(a: V, bits: u32) -> V {
        i32x4_shr(a, bits)
    }
    #[inline(always)]
    pub fn zip8(a: V, b: V) -> (V, V) {
        (
            i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(a, b),
            i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(a, b),
        )
    }
    #[inline(always)]
    pub fn zip16(a: V, b: V) -> (V, V) {
        (
            i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(a, b),
            i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(a, b),
        )
    }
    #[inline(always)]
    pub fn zip32(a: V, b: V) -> (V, V) {
        (
            i32x4_shuffle::<0, 4, 1, 5>(a, b),
            i32x4_shuffle::<2, 6, 3, 7>(a, b),
        )
    }
    #[inline(always)]
    pub fn zip64(a: V, b: V) -> (V, V) {
        (i64x2_shuffle::<0, 2>(a, b), i64x2_shuffle::<1, 3>(a, b))
    }
    #[inline(always)]
    pub fn unzip8(a: V, b: V) -> (V, V) {
        let low = u16x8_splat(0xff);
        (
            u8x16_narrow_i16x8(v128_and(a, low), v128_and(b, low)),
            u8x16_narrow_i16x8(u16x8_shr(a, 8), u16x8_shr(b, 8)),
        )
    }
    #[inline(always)]
    pub fn unzip16(a: V, b: V) -> (V, V) {
        (
            i16x8_shuffle::<0, 2, 4, 6, 8, 10, 12, 14>(a, b),
            i16x8_shuffle::<1, 3, 5, 7, 9, 11, 13, 15>(a, b),
        )
    }
    #[inline(always)]
    pub fn unzip32(a: V, b: V) -> (V, V) {
        (
            i32x4_shuffle::<0, 2, 4, 6>(a, b),
            i32x4_shuffle::<1, 3, 5, 7>(a, b),
        )
    }
    #[inline(always)]
    pub fn swizzle(a: V, places: V) -> V {
        i8x16_swizzle(a, places)
    }
    #[inline(always)]
    pub fn equal8(a: V, b: V) -> u32 {
        u32::from(i8x16_bitmask(i8x16_eq(a, b)))
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    use std::array::from_fn;

    /// Sixteen bytes.
    pub type V = [u8; 16];

    /// # Safety
    /// 16 bytes must be readable at `at`.
    #[inline(always)]
    pub unsafe fn load(at: *const u8) -> V {
        at.cast::<V>().read_unaligned()
    }
    /// # Safety
    /// 16 bytes must be writable at `at`.
    #[inline(always)]
    pub unsafe fn store(at: *mut u8, v: V) {
        at.cast::<V>().write_unaligned(v)
    }
    #[inline(always)]
    pub fn splat8(x: u8) -> V {
        [x; 16]
    }
    #[inline(always)]
    pub fn splat16(x: u16) -> V {
        from_fn(|i| x.to_le_bytes()[i & 1])
    }
    #[inline(always)]
    pub fn and(a: V, b: V) -> V {
        from_fn(|i| a[i] & b[i])
    }
    #[inline(always)]
    pub fn or(a: V, b: V) -> V {
        from_fn(|i| a[i] | b[i])
    }
    #[inline(always)]
    pub fn xor(a: V, b: V) -> V {
        from_fn(|i| a[i] ^ b[i])
    }
    #[inline(always)]
    fn map16(a: V, f: impl Fn(u16) -> u16) -> V {
        from_fn(|i| f(u16::from_le_bytes([a[i & !1], a[i | 1]])).to_le_bytes()[i & 1])
    }
    #[inline(always)]
    pub fn shl16(a: V, bits: u32) -> V {
        map16(a, |x| x << bits)
    }
    #[inline(always)]
    pub fn shr16(a: V, bits: u32) -> V {
        map16(a, |x| x >> bits)
    }
    #[inline(always)]
    pub fn splat32(x: u32) -> V {
        from_fn(|i| x.to_le_bytes()[i & 3])
    }
    #[inline(always)]
    fn map32(a: V, f: impl Fn(u32) -> u32) -> V {
        let lane = |i: usize| u32::from_le_bytes([a[i], a[i + 1], a[i + 2], a[i + 3]]);
        from_fn(|i| f(lane(i & !3)).to_le_bytes()[i & 3])
    }
    #[inline(always)]
    pub fn shr32(a: V, bits: u32) -> V {
        map32(a, |x| x >> bits)
    }
    #[inline(always)]
    pub fn sar32(a: V, bits: u32) -> V {
        map32(a, |x| ((x as i32) >> bits) as u32)
    }
    /// Lanes of `w` bytes of `a` and `b` in turn.
    #[inline(always)]
    fn zip(a: V, b: V, w: usize) -> (V, V) {
        let pick = |i: usize| {
            let (lane, within) = (i / w, i % w);
            let from = if lane % 2 == 0 { &a } else { &b };
            from[lane / 2 * w + within]
        };
        (from_fn(pick), from_fn(|i| pick(i + 16)))
    }
    #[inline(always)]
    fn unzip(a: V, b: V, w: usize) -> (V, V) {
        let pick = |i: usize, odd: usize| {
            let at = (2 * (i / w) + odd) * w + i % w;
            if at < 16 {
                a[at]
            } else {
                b[at - 16]
            }
        };
        (from_fn(|i| pick(i, 0)), from_fn(|i| pick(i, 1)))
    }
    #[inline(always)]
    pub fn zip8(a: V, b: V) -> (V, V) {
        zip(a, b, 1)
    }
    #[inline(always)]
    pub fn zip16(a: V, b: V) -> (V, V) {
        zip(a, b, 2)
    }
    #[inline(always)]
    pub fn zip32(a: V, b: V) -> (V, V) {
        zip(a, b, 4)
    }
    #[inline(always)]
    pub fn zip64(a: V, b: V) -> (V, V) {
        zip(a, b, 8)
    }
    #[inline(always)]
    pub fn unzip8(a: V, b: V) -> (V, V) {
        unzip(a, b, 1)
    }
    #[inline(always)]
    pub fn unzip16(a: V, b: V) -> (V, V) {
        unzip(a, b, 2)
    }
    #[inline(always)]
    pub fn unzip32(a: V, b: V) -> (V, V) {
        unzip(a, b, 4)
    }
    #[inline(always)]
    pub fn swizzle(a: V, places: V) -> V {
        from_fn(|i| {
            if places[i] < 16 {
                a[places[i] as usize]
            } else {
                0
            }
        })
    }
    #[inline(always)]
    pub fn equal8(a: V, b: V) -> u32 {
        (0..16).fold(0, |m, i| m | u32::from(a[i] == b[i]) << i)
    }
}

pub use imp::*;
