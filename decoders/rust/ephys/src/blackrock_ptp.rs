//! Blackrock NSx packets of one sample each (File Specification 3.0, PTP and Gemini systems): their
//! time stamps, without the samples between them.

use fuse_core::bytes::View;
use fuse_core::{abi, Error, Result};

/// Where the time stamp lies in a packet, and how long packets and sampling periods are.
struct Shape {
    stride: usize,
    wide: bool,
    ticks_per_sample: f64,
}

/// A step of this many sampling periods means that samples are missing between two packets. One
/// lost sample makes a step of 2; stamps jitter, so the limit lies below it.
const GAP_PERIODS: f64 = 1.75;

impl Shape {
    /// Time stamp of packet `i`, or an error at its offset when it is not a packet of one sample.
    fn ticks(&self, data: &[u8], i: usize) -> Result<u64> {
        let at = i * self.stride;
        let v = View::le(data);
        let (ticks, count) = if self.wide {
            (v.u64(at + 1), v.u32(at + 9))
        } else {
            (v.u32(at + 1).map(u64::from), v.u32(at + 5))
        };
        match (v.u8(at), ticks, count) {
            (Some(1), Some(ticks), Some(1)) => Ok(ticks),
            _ => Err(Error::corrupt("not a packet of one sample").at(at)),
        }
    }

    /// Indexes of packets that do not follow the one before them: later than the sampling period
    /// allows, or not later at all.
    fn breaks(&self, data: &[u8], out: &mut [u32]) -> Result<usize> {
        let packets = data.len() / self.stride;
        let limit = GAP_PERIODS * self.ticks_per_sample;
        let mut found = 0;
        let mut before = None;
        for i in 0..packets {
            let ticks = self.ticks(data, i)?;
            if let Some(before) = before.replace(ticks) {
                if ticks <= before || (ticks - before) as f64 >= limit {
                    if let (Some(slot), Ok(index)) = (out.get_mut(found), u32::try_from(i)) {
                        *slot = index;
                    }
                    found += 1;
                }
            }
        }
        Ok(found)
    }
}

/// Writes the indexes of packets before which the recording pauses or its clock goes back; returns
/// how many there are. Packet 0 is only compared with packet 1.
///
/// # Safety
/// `data` must be readable for `length` bytes, `out` writable for one `u32` a packet.
#[no_mangle]
pub unsafe extern "C" fn blackrock_ptp_breaks(
    data: *const u8,
    length: usize,
    stride: usize,
    wide: u32,
    ticks_per_sample: f64,
    out: *mut u32,
) -> i32 {
    if stride == 0 {
        return abi::fail(&Error::corrupt("packets of no bytes"));
    }
    let shape = Shape {
        stride,
        wide: wide != 0,
        ticks_per_sample,
    };
    let out = abi::output(out, length / stride);
    abi::status(shape.breaks(abi::input(data, length), out))
}

/// Writes the time of every packet in seconds after `zero` (given as two 32-bit halves).
///
/// # Safety
/// `data` must be readable for `length` bytes, `out` writable for one `f64` a packet.
#[no_mangle]
pub unsafe extern "C" fn blackrock_ptp_times(
    data: *const u8,
    length: usize,
    stride: usize,
    wide: u32,
    resolution: f64,
    zero_low: u32,
    zero_high: u32,
    out: *mut f64,
) -> i32 {
    if stride == 0 {
        return abi::fail(&Error::corrupt("packets of no bytes"));
    }
    let shape = Shape {
        stride,
        wide: wide != 0,
        ticks_per_sample: 1.0,
    };
    let zero = i128::from(u64::from(zero_high) << 32 | u64::from(zero_low));
    let data = abi::input(data, length);
    let out = abi::output(out, length / stride);
    for (i, slot) in out.iter_mut().enumerate() {
        match shape.ticks(data, i) {
            Ok(ticks) => *slot = (i128::from(ticks) - zero) as f64 / resolution,
            Err(e) => return abi::fail(&e),
        }
    }
    abi::status(Ok(out.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(stamps: &[u64]) -> Vec<u8> {
        let mut data = Vec::new();
        for t in stamps {
            data.push(1);
            data.extend_from_slice(&t.to_le_bytes());
            data.extend_from_slice(&1u32.to_le_bytes());
            data.extend_from_slice(&[7, 7, 8, 8]);
        }
        data
    }

    fn breaks(stamps: &[u64]) -> Result<Vec<u32>> {
        let shape = Shape {
            stride: 17,
            wide: true,
            ticks_per_sample: 100.0,
        };
        let mut out = vec![0; stamps.len()];
        let found = shape.breaks(&packets(stamps), &mut out)?;
        Ok(out[..found].to_vec())
    }

    #[test]
    fn pauses_and_resets_are_breaks_and_jitter_is_not() {
        assert_eq!(breaks(&[0, 100, 200, 300]), Ok(vec![]));
        assert_eq!(breaks(&[0, 130, 190, 305]), Ok(vec![]));
        assert_eq!(breaks(&[0, 100, 300, 400]), Ok(vec![2]));
        assert_eq!(breaks(&[500, 600, 0, 100, 100]), Ok(vec![2, 4]));
        assert_eq!(breaks(&[9]), Ok(vec![]));
    }

    #[test]
    fn a_packet_of_another_form_is_an_error_at_its_place() {
        let shape = Shape {
            stride: 17,
            wide: true,
            ticks_per_sample: 100.0,
        };
        let mut data = packets(&[0, 100]);
        data[17] = 0;
        assert_eq!(
            shape.breaks(&data, &mut [0; 2]).map_err(|e| e.offset),
            Err(Some(17))
        );
    }

    #[test]
    fn times_count_from_zero_to_the_nanosecond() {
        let data = packets(&[1_700_000_000_000_000_001, 1_700_000_000_000_033_334]);
        let zero: u64 = 1_700_000_000_000_000_000;
        let mut out = [0.0; 2];
        let n = unsafe {
            blackrock_ptp_times(
                data.as_ptr(),
                data.len(),
                17,
                1,
                1e9,
                zero as u32,
                (zero >> 32) as u32,
                out.as_mut_ptr(),
            )
        };
        assert_eq!((n, out), (2, [1e-9, 33334e-9]));
    }
}
