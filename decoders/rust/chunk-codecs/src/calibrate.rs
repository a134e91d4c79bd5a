//! Raw values to physical ones: `raw * gain + offset` in float64, rounded once to the output type.

use crate::kinds::{Output, Stored};
use fuse_core::abi::{input, output, status};
use fuse_core::{Error, Result};

/// One channel's calibration.
#[derive(Clone, Copy, Debug)]
pub struct Calibration {
    pub gain: f64,
    pub offset: f64,
}

/// Writes `n` calibrated values; does nothing for complex kinds or raw output, which have none.
///
/// # Safety
/// `n` values of kind `kind` must be readable at `src`, `n` outputs writable at `dst`, not overlapping.
pub unsafe fn calibrate_row(
    kind: Stored,
    src: *const u8,
    n: usize,
    by: Calibration,
    to: Output,
    dst: *mut u8,
) {
    #[cfg(target_arch = "wasm32")]
    let done = crate::calibrate_simd::calibrate_quads(kind, src, n, by, to, dst);
    #[cfg(not(target_arch = "wasm32"))]
    let done = 0;
    macro_rules! run {
        ($t:ty, $f:expr) => {
            match to {
                Output::F32 => {
                    let (s, d) = (src.cast::<$t>(), dst.cast::<f32>());
                    for i in done..n {
                        let v: f64 = $f(s.add(i).read_unaligned());
                        d.add(i).write_unaligned((v * by.gain + by.offset) as f32);
                    }
                }
                Output::F64 => {
                    let (s, d) = (src.cast::<$t>(), dst.cast::<f64>());
                    for i in done..n {
                        let v: f64 = $f(s.add(i).read_unaligned());
                        d.add(i).write_unaligned(v * by.gain + by.offset);
                    }
                }
                Output::Raw => {}
            }
        };
    }
    match kind {
        Stored::I8 => run!(i8, |v| v as f64),
        Stored::U8 => run!(u8, |v| v as f64),
        Stored::I16 => run!(i16, |v| v as f64),
        Stored::U16 => run!(u16, |v| v as f64),
        Stored::I32 => run!(i32, |v| v as f64),
        Stored::U32 => run!(u32, |v| v as f64),
        Stored::I64 => run!(i64, |v| v as f64),
        Stored::U64 => run!(u64, |v| v as f64),
        Stored::F32 => run!(f32, |v| v as f64),
        Stored::F64 => run!(f64, |v| v),
        Stored::F16 => run!(u16, half_to_f64),
        _ => {}
    }
}

/// IEEE 754 binary16 to float64, exactly.
fn half_to_f64(half: u16) -> f64 {
    let sign = if half & 0x8000 != 0 { -1.0 } else { 1.0 };
    let (exponent, fraction) = ((half >> 10) & 31, f64::from(half & 1023));
    match exponent {
        0 => sign * fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        e => sign * (1.0 + fraction / 1024.0) * 2f64.powi(i32::from(e) - 15),
    }
}

/// Checked form: decoded values of `kind` in `src` to calibrated values in `dst`.
pub fn calibrate(
    kind: Stored,
    src: &[u8],
    n: usize,
    by: Calibration,
    to: Output,
    dst: &mut [u8],
) -> Result<usize> {
    if kind.is_complex() || kind.decoded(false) != kind || to == Output::Raw {
        return Err(Error::unsupported(
            "calibration needs decoded real numbers and a float output",
        ));
    }
    let fits = |width: usize, have: usize| n.checked_mul(width).is_some_and(|need| need <= have);
    if !fits(kind.width(), src.len()) {
        return Err(Error::truncated("fewer values than are to be calibrated").at(src.len()));
    }
    if !fits(to.width(kind), dst.len()) {
        return Err(Error::limit(
            "the buffer for calibrated values is too small",
        ));
    }
    // SAFETY: both lengths were checked, and the borrow rules keep the slices apart.
    unsafe { calibrate_row(kind, src.as_ptr(), n, by, to, dst.as_mut_ptr()) };
    Ok(n)
}

/// # Safety
/// The pointers must be readable and writable for the lengths given and must not overlap.
#[no_mangle]
pub unsafe extern "C" fn calibrate_values(
    src: *const u8,
    src_len: usize,
    kind: u32,
    n: usize,
    gain: f64,
    offset: f64,
    to: u32,
    dst: *mut u8,
    dst_len: usize,
) -> i32 {
    status((|| {
        let (kind, to) = (Stored::from_code(kind)?, Output::from_code(to)?);
        calibrate(
            kind,
            input(src, src_len),
            n,
            Calibration { gain, offset },
            to,
            output(dst, dst_len),
        )
    })())
}
