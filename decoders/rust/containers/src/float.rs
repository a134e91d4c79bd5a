//! Floating-point numbers of any make as doubles.

use crate::params::FloatFormat;

/// A number from its bits, exact where a double can hold it and rounded to the nearest where not.
pub fn value(f: &FloatFormat, bits: u128) -> f64 {
    let field = |at: u32, count: u32| {
        let count = count.min(127);
        bits.checked_shr(at).unwrap_or(0) & ((1u128 << count) - 1)
    };
    let negative = field(f.sign, 1) == 1;
    let exponent = field(f.exponent, f.exponent_bits.min(31)) as i64;
    let mantissa = field(f.mantissa, f.mantissa_bits);
    let largest = (1i64 << f.exponent_bits.min(31)) - 1;
    let implied = f.normalisation == 2;
    let magnitude = if exponent == largest && f.exponent_bits > 1 {
        // Infinity, or not a number; a leading bit that is stored says nothing here.
        let fraction = if implied {
            mantissa
        } else {
            mantissa & !(1u128 << f.mantissa_bits.clamp(1, 127).saturating_sub(1))
        };
        if fraction == 0 {
            f64::INFINITY
        } else {
            f64::NAN
        }
    } else if implied {
        let bias = i64::from(f.bias);
        let shift = i64::from(f.mantissa_bits);
        if exponent == 0 {
            scale(mantissa, 1 - bias - shift)
        } else {
            scale(
                mantissa | (1u128 << f.mantissa_bits.min(126)),
                exponent - bias - shift,
            )
        }
    } else {
        let point = i64::from(f.mantissa_bits) - 1;
        scale(mantissa, exponent.max(1) - i64::from(f.bias) - point)
    };
    if negative {
        -magnitude
    } else {
        magnitude
    }
}

/// `mantissa * 2 ** exponent`, rounded once.
fn scale(mantissa: u128, exponent: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let length = i64::from(128 - mantissa.leading_zeros());
    // Bits a double keeps of a number of this size; fewer where it is subnormal.
    let top = exponent + length;
    let kept = if top > -1022 { 53 } else { 53 + top + 1021 };
    if kept < 0 {
        return 0.0;
    }
    let drop = length - kept;
    let (mut digits, mut power) = (mantissa, exponent);
    if drop > 0 {
        let drop = drop as u32;
        let rest = digits & ((1u128 << drop.min(127)) - 1);
        let half = 1u128 << (drop.min(127) - 1);
        digits = digits.checked_shr(drop).unwrap_or(0);
        if rest > half || rest == half && digits & 1 == 1 {
            digits += 1;
        }
        power += i64::from(drop);
    }
    // Both halves of the power are within a double's range, and the digits fit the result: exact.
    let power = power.clamp(-2000, 2000) as i32;
    digits as f64 * 2f64.powi(power / 2) * 2f64.powi(power - power / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: FloatFormat = FloatFormat {
        sign: 15,
        exponent: 10,
        exponent_bits: 5,
        mantissa: 0,
        mantissa_bits: 10,
        normalisation: 2,
        bias: 15,
    };
    const SINGLE: FloatFormat = FloatFormat {
        sign: 31,
        exponent: 23,
        exponent_bits: 8,
        mantissa: 0,
        mantissa_bits: 23,
        normalisation: 2,
        bias: 127,
    };
    const EXTENDED: FloatFormat = FloatFormat {
        sign: 79,
        exponent: 64,
        exponent_bits: 15,
        mantissa: 0,
        mantissa_bits: 64,
        normalisation: 1,
        bias: 16383,
    };
    const QUADRUPLE: FloatFormat = FloatFormat {
        sign: 127,
        exponent: 112,
        exponent_bits: 15,
        mantissa: 0,
        mantissa_bits: 112,
        normalisation: 2,
        bias: 16383,
    };
    const DOUBLE: FloatFormat = FloatFormat {
        sign: 63,
        exponent: 52,
        exponent_bits: 11,
        mantissa: 0,
        mantissa_bits: 52,
        normalisation: 2,
        bias: 1023,
    };

    #[test]
    fn agrees_with_the_machine() {
        for bits in (0..=u32::MAX).step_by(65_521) {
            let single = f64::from(f32::from_bits(bits));
            let found = value(&SINGLE, u128::from(bits));
            assert!(
                found == single || found.is_nan() && single.is_nan(),
                "{bits:x}"
            );
        }
        for i in 0..20_000u64 {
            let bits = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let double = f64::from_bits(bits);
            let found = value(&DOUBLE, u128::from(bits));
            assert!(
                found.to_bits() == bits || found.is_nan() && double.is_nan(),
                "{bits:x}: {found} {double}"
            );
        }
        for bits in [
            0u64,
            1,
            1 << 63,
            (1 << 52) - 1,
            1 << 52,
            0x7fef_ffff_ffff_ffff,
        ] {
            assert_eq!(value(&DOUBLE, u128::from(bits)).to_bits(), bits);
        }
    }

    #[test]
    fn knows_other_makes() {
        assert_eq!(value(&HALF, 0x3555), 0.333_251_953_125);
        assert_eq!(value(&HALF, 1), 2f64.powi(-24));
        assert_eq!(value(&HALF, 0xfc00), f64::NEG_INFINITY);
        assert_eq!(value(&EXTENDED, (16383 << 64) | (3 << 62)), 1.5);
        assert_eq!(
            value(&EXTENDED, (1 << 79) | (16384 << 64) | (1 << 63)),
            -2.0
        );
        assert_eq!(value(&EXTENDED, (0x7fff << 64) | (1 << 63)), f64::INFINITY);
        assert!(value(&EXTENDED, (0x7fff << 64) | (3 << 62)).is_nan());
        assert_eq!(value(&QUADRUPLE, 16383 << 112), 1.0);
        assert_eq!(value(&QUADRUPLE, (16383 << 112) | 1), 1.0);
        assert_eq!(value(&QUADRUPLE, (1u128 << 112) | 1), 0.0);
        let half_up = (16383u128 << 112) | (1 << 59);
        assert_eq!(value(&QUADRUPLE, half_up), 1.0, "half to even");
        assert_eq!(value(&QUADRUPLE, half_up | 1), 1.0 + f64::EPSILON);
        let subnormal = ((16383u128 - 1074) << 112) | (1 << 111);
        assert_eq!(value(&QUADRUPLE, subnormal), 1e-323, "1.5 steps round to 2");
    }
}
